import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { as, BUILDER, npmSettings, own } from './dockerfile';
import { CHECKOUT, Program } from './processes';

const run = promisify(execFile);

interface Packed {
  readonly tarball: string;
  readonly bytes: number;
  readonly files: readonly string[];
}

/** Packs what Git has of this checkout, in a copy: `npm pack` builds `dist` anew, and other tests run from ours. */
export async function pack(directory: string): Promise<Packed> {
  const copy = join(directory, 'checkout');
  const { stdout: listed } = await run('git', ['ls-files', '-co', '--exclude-standard'], { cwd: CHECKOUT });
  for (const path of listed.trim().split('\n')) {
    mkdirSync(join(copy, dirname(path)), { recursive: true });
    cpSync(join(CHECKOUT, path), join(copy, path));
  }
  symlinkSync(join(CHECKOUT, 'node_modules'), join(copy, 'node_modules'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', directory], {
    cwd: copy,
    maxBuffer: 64 << 20,
  });
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('[\n'))) as [
    { filename: string; size: number; files: { path: string }[] },
  ];
  return {
    tarball: join(directory, packed.filename),
    bytes: packed.size,
    files: packed.files.map(({ path }) => path),
  };
}

/** An ordinary user with an empty home, and nothing in the environment. */
export class Newcomer {
  private npm: Record<string, string> = {};

  private constructor(readonly home: string) {}

  static async at(home: string): Promise<Newcomer> {
    const newcomer = new Newcomer(home);
    for (const folder of ['npm', 'work', 'app']) mkdirSync(join(home, folder), { recursive: true });
    newcomer.npm = await npmSettings(join(home, 'npm'));
    await own(home, BUILDER);
    return newcomer;
  }

  /** Starts a program in the user's empty directory `work`. */
  start(command: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
    const [file = '', ...args] = as(BUILDER, command);
    return new Program(file, args, { HOME: this.home, ...env }, join(this.home, 'work'));
  }

  /** Runs a program to its end. */
  async run(command: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const program = this.start(command, env);
    const { code } = await program.ended;
    return { code, out: program.output.join('\n'), err: program.errors.join('\n') };
  }

  /** @throws Error with the output of npm if the installation fails. */
  async install(args: readonly string[]): Promise<void> {
    const { code, err } = await this.run(['npm', 'install', '--no-fund', '--no-audit', ...args], this.npm);
    if (code !== 0) throw new Error(err);
  }
}
