import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Time for an agent and its children to end after a signal. */
const END_WITHIN_MS = 10_000;
const LAST_WORDS_WITHIN_MS = 1_000;

export interface AgentProgram {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** The error message if the program cannot be started. */
  readonly missing: string;
}

/** The agent's program cannot be started. */
export class AgentMissing extends Error {
  override readonly name = 'AgentMissing';
}

/**
 * An agent as a child in its own process group. Ctrl-C at the terminal reaches only this process, so the agent receives
 * each forwarded signal once.
 */
export class AgentProcess {
  private killer: NodeJS.Timeout | undefined;

  private constructor(
    private readonly child: ChildProcess,
    /**
     * The exit code as in a shell: 128 plus the signal's number if a signal ended the process. Rejects with the error of
     * `read`.
     */
    readonly ended: Promise<number>,
  ) {}

  /**
   * @param read reads the agent's output to its end
   * @throws AgentMissing if the program cannot be started.
   */
  static async start(
    { file, args, cwd, env, missing }: AgentProgram,
    read: (output: AsyncIterable<Buffer>) => Promise<void>,
  ): Promise<AgentProcess> {
    const child = spawn(file, args, { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'inherit'] });
    // Ignore write errors: the child has ended, and its exit event reports that.
    child.stdin.on('error', () => undefined);
    const output = readToEnd(child.stdout, read);
    // Nobody gates an agent whose lines are not read.
    output.catch(() => killGroupOf(child));
    const ended = new Promise<number>((done, fail) => {
      child.once('exit', (code, signal) => {
        const exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
        // The child's own children may keep its output open; do not wait for them.
        void Promise.race([output, sleep(LAST_WORDS_WITHIN_MS, null, { ref: false })]).then(
          () => done(exitCode),
          fail,
        );
      });
    });
    try {
      await once(child, 'spawn');
    } catch (cause) {
      throw new AgentMissing(missing, { cause });
    }
    return new AgentProcess(child, ended);
  }

  /** Writes a line of JSON; as escapes, its line separators do not end it for any reader. */
  write(line: string): void {
    this.pass(`${line.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}\n`);
  }

  /** Writes bytes unchanged. @returns false if the agent reads more slowly than that. */
  pass(bytes: Uint8Array | string): boolean {
    return this.child.stdin?.write(bytes) ?? false;
  }

  /** Resolves when the agent has read what was written, or has ended. */
  async drained(): Promise<void> {
    const { stdin } = this.child;
    if (!stdin?.writableNeedDrain) return;
    await Promise.race([once(stdin, 'drain'), once(stdin, 'close'), this.ended]);
  }

  /** Closes the agent's input: it ends when it has finished its work. */
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

async function readToEnd(
  output: AsyncIterable<Buffer>,
  read: (output: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
  try {
    await read(output);
  } catch (error) {
    // The output of a program that did not start is closed without an end.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}
