import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** After a signal to end, Claude Code and what it started get this long. */
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
 * Claude Code as a child in a process group of its own: Ctrl-C at the terminal reaches us alone, and what we pass on
 * reaches it once.
 */
export class ClaudeProcess {
  private killer: NodeJS.Timeout | undefined;

  private constructor(
    private readonly child: ChildProcess,
    /** The exit code as a shell gives it: 128 and the signal's number where a signal ended it. */
    readonly ended: Promise<number>,
  ) {}

  /** @throws ClaudeMissing when the program cannot be started. */
  static async start(
    { file, args, cwd, env }: ClaudeSettings,
    onLine: (line: string) => void,
  ): Promise<ClaudeProcess> {
    const child = spawn(file, args, { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'inherit'] });
    // A child that is gone cannot be written to; its end is heard otherwise.
    child.stdin.on('error', () => undefined);
    const lines = createInterface({ input: child.stdout }).on('line', onLine);
    const read = once(lines, 'close');
    const ended = new Promise<number>((done) => {
      child.once('exit', (code, signal) => {
        const exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
        // What it started may hold on to its output; that is not waited for.
        void Promise.race([read, sleep(LAST_WORDS_WITHIN_MS, null, { ref: false })]).then(() =>
          done(exitCode),
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

  write(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  /** Nothing more will be said to it: it ends when it has done what it was told. */
  finish(): void {
    this.child.stdin?.end();
  }

  /** Passes the signal on; what does not end of it is killed. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
    this.killer ??= setTimeout(() => this.killGroup(), END_WITHIN_MS).unref();
  }

  /** Ends whatever is left of it. */
  reap(): void {
    clearTimeout(this.killer);
    this.killGroup();
  }

  private killGroup(): void {
    if (this.child.pid === undefined) return;
    try {
      process.kill(-this.child.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
