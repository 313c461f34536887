import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { linesOf } from '../../kernel/lines';

/** Time for Claude Code and its children to end after a signal. */
const END_WITHIN_MS = 10_000;
const LAST_WORDS_WITHIN_MS = 1_000;

export interface ClaudeSettings {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Claude Code cannot be started. */
export class ClaudeMissing extends Error {
  override readonly name = 'ClaudeMissing';
}

/**
 * Claude Code as a child in its own process group. Ctrl-C at the terminal reaches only this process, so Claude Code
 * receives each forwarded signal once.
 */
export class ClaudeProcess {
  private killer: NodeJS.Timeout | undefined;

  private constructor(
    private readonly child: ChildProcess,
    /**
     * The exit code as in a shell: 128 plus the signal's number if a signal ended the process. Rejects with the error of
     * `onLine`.
     */
    readonly ended: Promise<number>,
  ) {}

  /** @throws ClaudeMissing if the program cannot be started. */
  static async start(
    { file, args, cwd, env }: ClaudeSettings,
    onLine: (line: string) => void,
  ): Promise<ClaudeProcess> {
    const child = spawn(file, args, { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'inherit'] });
    // Ignore write errors: the child has ended, and its exit event reports that.
    child.stdin.on('error', () => undefined);
    const read = readLines(child.stdout, onLine);
    // Nobody gates an agent whose lines are not read.
    read.catch(() => killGroupOf(child));
    const ended = new Promise<number>((done, fail) => {
      child.once('exit', (code, signal) => {
        const exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
        // The child's own children may keep its output open; do not wait for them.
        void Promise.race([read, sleep(LAST_WORDS_WITHIN_MS, null, { ref: false })]).then(
          () => done(exitCode),
          fail,
        );
      });
    });
    try {
      await once(child, 'spawn');
    } catch (cause) {
      throw new ClaudeMissing(
        `Claude Code cannot be started as "${file}". Install it (npm install -g @anthropic-ai/claude-code), or say with --claude where it is`,
        { cause },
      );
    }
    return new ClaudeProcess(child, ended);
  }

  /** Writes a line of JSON; as escapes, its line separators do not end it for any reader. */
  write(line: string): void {
    this.child.stdin?.write(`${line.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}\n`);
  }

  /** Closes Claude Code's input: it ends when it has finished its work. */
  finish(): void {
    this.child.stdin?.end();
  }

  /** Forwards the signal; kills the process group if it has not ended in time. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
    this.killer ??= setTimeout(() => killGroupOf(this.child), END_WITHIN_MS).unref();
  }

  /** Kills the remaining processes of the group. */
  reap(): void {
    clearTimeout(this.killer);
    killGroupOf(this.child);
  }
}

function killGroupOf({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function readLines(stream: AsyncIterable<Buffer>, onLine: (line: string) => void): Promise<void> {
  try {
    for await (const line of linesOf(stream)) onLine(line);
  } catch (error) {
    // The output of a program that did not start is closed without an end.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}
