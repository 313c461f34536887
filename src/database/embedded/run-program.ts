import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';

/** The user a PostgreSQL program runs as; null is our own. */
export type RunAs = { readonly uid: number; readonly gid: number } | null;

/**
 * The environment of PostgreSQL's programs: nothing of ours, so that they behave alike under every shell and locale.
 */
export const PROGRAM_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/bin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
};

/** Maximum time of `initdb` and the like; they take about a second. */
const PROGRAM_TIMEOUT_MS = 120_000;

export interface Outcome {
  readonly ok: boolean;
  /** Both streams, as they came; the error if the program could not be run. */
  readonly output: string;
}

function spawnDetached(file: string, args: readonly string[], runAs: RunAs): ChildProcessWithoutNullStreams {
  return spawn(file, args, {
    ...runAs,
    cwd: '/',
    env: PROGRAM_ENVIRONMENT,
    detached: true,
    // The option `timeout` would keep this process alive for as long if the program could not be started.
    signal: AbortSignal.timeout(PROGRAM_TIMEOUT_MS),
  });
}

/** Runs a program to its end, in a session of its own so that Ctrl-C at our terminal does not reach it. */
export function runProgram(
  file: string,
  args: readonly string[],
  runAs: RunAs,
  input = '',
): Promise<Outcome> {
  return new Promise((resolve) => {
    let child: ChildProcessWithoutNullStreams;
    try {
      child = spawnDetached(file, args, runAs);
    } catch (error) {
      // Node throws for a program of another architecture, or for a user that this process may not become.
      resolve({ ok: false, output: `${file}: ${error instanceof Error ? error.message : String(error)}` });
      return;
    }
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => resolve({ ok: false, output: `${output}${error.message}` }));
    child.on('close', (code) => resolve({ ok: code === 0, output }));
    // A program that ends without reading its input is judged by its exit code, not by our broken pipe.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
