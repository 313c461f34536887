import { join } from 'node:path';
import { CHECKOUT, Program } from './processes';
import { AGENT_KEY } from './well-known';

export interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const PROGRAM = join(CHECKOUT, 'dist/src/cli/countersign.js');

/** `countersign` with these arguments, as somebody at a shell starts it; with a `file`, that program. */
export function startCli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
  file = PROGRAM,
): Program {
  return new Program(process.execPath, [file, ...args], { COUNTERSIGN_KEY: AGENT_KEY, ...env }, cwd);
}

/** The same, at its end. */
export async function cli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  file = PROGRAM,
): Promise<Said> {
  const program = startCli(args, env, undefined, file);
  const { code } = await program.ended;
  return { code, out: program.output.join('\n'), err: program.errors.join('\n') };
}
