import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cli, startCli } from '../support/cli';
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

it.each([
  [['approvals', 'list', '--colour'], /unknown option '--colour'/],
  [['approvals', 'show'], /missing required argument 'id'/],
  [['keys', 'add', '--role', 'root', '--name', 'x'], /Allowed choices/],
  [['run', 'make it so'], /required option '--agent <id>'/],
  [['aprove'], /unknown command 'aprove'/],
])('countersign %j is not what it takes: exit 2, with the way to the help', async (args, message) => {
  const { code, out, err } = await cli(args);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toMatch(message);
  expect(err).toContain('--help');
});

it.each([
  [
    ['keys', 'add'],
    ['--role', '--name'],
  ],
  [['run'], ['--agent']],
])('countersign %j --help says what is required, and exits 0', async (args, required) => {
  const { code, out } = await cli([...args, '--help']);
  expect(code).toBe(0);
  for (const option of required)
    expect(out.replaceAll(/\s+/g, ' ')).toMatch(new RegExp(`${option} <[^-]*required`));
});

it.each([
  ['approvals', 'list', '--key', 'x'],
  ['audit', 'verify', '--key', 'x'],
  ['receipt', 'verify', '/nowhere/receipt', '--key', 'x'],
])('countersign %s %s with --json says as JSON, too, why it could not', async (...args) => {
  const { code, out } = await cli([...args, '--json', '--url', 'http://127.0.0.1:9']);
  expect(code).toBe(2);
  expect(JSON.parse(out)).toEqual({ error: { message: expect.stringMatching(/./) as string } });
});

it('a reader who closes early ends a command quietly', async () => {
  const program = startCli(['doctor'], { DATA_DIR: join(temporaryDirectory(), 'none') });
  program.stopReading();
  expect(await program.ended).toEqual({ code: 2, signal: null });
  expect(program.errors).toEqual([]);
});
