import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT, cleanUp, Program, temporaryDirectory } from '../support/processes';

afterAll(cleanUp);

const COUNTERSIGN = join(CHECKOUT, 'dist/src/cli/countersign.js');

/** The packages that a command loads. */
async function loadedBy(args: readonly string[]): Promise<string[]> {
  const hook = join(temporaryDirectory(), 'tell.cjs');
  writeFileSync(hook, `process.once('exit', () => console.error(Object.keys(require.cache).join('\\n')));`);
  const program = new Program(process.execPath, ['--require', hook, COUNTERSIGN, ...args], {});
  expect(await program.ended).toMatchObject({ code: 0 });
  const packages = program.errors.map((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]);
  return [...new Set(packages.filter((name) => name !== undefined))];
}

it.each([[['--version']], [['--help']], [['doctor', '--help']], [['keys', 'add', '--help']]])(
  'countersign %j starts without the database, Nest and Telegraf',
  async (args) => {
    const loaded = await loadedBy(args);
    expect(loaded).toContain('commander');
    for (const heavy of ['typeorm', 'pg', 'telegraf', '@nestjs/common']) expect(loaded).not.toContain(heavy);
  },
);
