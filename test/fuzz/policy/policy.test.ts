import * as fc from 'fast-check';
import { commandMatcherSchema } from '../../../src/policy/shell/command-matcher';
import { lintCommandMatcher } from '../../../src/policy/shell/lint-command-matcher';
import { parseCommand, type SimpleCommand } from '../../../src/policy/shell/parse-command';
import { prove, type Candidate } from '../../../src/policy/shell/prove';
import { commandLines } from './command-lines';
import { runLines, SHOP, TRACED, type Run } from './shell-oracle';
import { openTreeSitter, type CountCommands } from './tree-sitter';
import { mentionIn } from '../../support/policy-scene';

/** `npm run test:fuzz` gives it a minute. */
const SECONDS = Number(process.env.FUZZ_SECONDS ?? '5');
const LINES_IN_A_BATCH = 1_000;

const inSource = (directory: string): boolean => directory === `${SHOP}/src`;

const RULES: readonly Candidate[] = [
  rule('read-git', null, {
    argv: ['git', { any: ['status', 'diff', 'log', 'show'] }],
    flags: ['--stat', '--oneline', '-n:int', '--format='],
    operands: 'path',
  }),
  rule('tests', null, { argv: ['npm', 'run', { any: ['test', 'lint'] }] }),
  rule('search', null, { argv: ['grep'], flags: ['-r', '-e:any'], operands: 'any' }),
  rule('list', inSource, { argv: ['ls'], flags: ['-la'], operands: 'path' }),
  rule('report', null, { argv: ['report'], flags: ['--out:path'], writes: ['out/**', '*.log'] }),
];
const WRITABLE = /^\/shop\/(?:.*\/)?(?:out\/.+|[^/]+\.log)$/;
/** A command of the rules, or `cd`, in the line itself and not in a substitution. */
const EXPECTED_TRACE = new RegExp(`^${TRACED}{2}(?:cd|git|npm|grep|ls|report)(?: |\n$)`);
const KUBECTL = commandMatcherSchema.parse({ mentions: [['kubectl']] });

function rule(id: string, cwd: Candidate['cwd'], matcher: unknown): Candidate {
  return { rule: id, cwd, matcher: commandMatcherSchema.parse(matcher) };
}

function isAllowed(text: string, cwd: string = SHOP): boolean {
  return prove(parseCommand(text), RULES, cwd).allowed;
}

function commandsOf(text: string): readonly SimpleCommand[] {
  const command = parseCommand(text);
  return command.doubt === null ? command.statements.flat().flatMap(({ commands }) => commands) : [];
}

function quote(argv: readonly string[]): string {
  const [name, ...rest] = argv;
  return [name, ...rest.map((word) => `'${word.replaceAll("'", `'"'"'`)}'`)].join(' ');
}

/** Everything that ran or was written under an allow and that the rules do not say. */
function* findingsOf({ text, executions, traced, written }: Run): Generator<string> {
  const commands = commandsOf(text);
  const expected = new Set(commands.map(({ words }) => JSON.stringify(words)));
  for (const { directory, argv } of executions) {
    if (!expected.has(JSON.stringify(argv))) yield `ran ${quote(argv)}, which the proof does not have`;
    if (!isAllowed(`cd '${directory}' && ${quote(argv)}`))
      yield `ran ${quote(argv)} in ${directory}, which no rule allows`;
  }
  if (executions.length > commands.length) yield `ran ${executions.length} commands for ${commands.length}`;
  if (traced.length > commands.length) yield `bash ran ${traced.length} commands for ${commands.length}`;
  for (const command of traced) if (!EXPECTED_TRACE.test(command)) yield `bash ran ${command}`;
  for (const path of written)
    if (!WRITABLE.test(path) || !commands.some(({ words: [name] }) => name === 'report'))
      yield `wrote ${path}`;
}

function agrees(text: string, second: ReturnType<CountCommands>): boolean {
  const commands = commandsOf(text);
  const words = commands.flatMap((command) => command.words);
  // This parser takes some newlines after a pipeline for blanks, which bash does not.
  return second?.words === words.length && (text.includes('\n') || second.commands === commands.length);
}

let countCommands: CountCommands;
beforeAll(async () => {
  countCommands = await openTreeSitter();
});

it('has rules that the linter accepts', () => {
  expect(RULES.flatMap(({ matcher }) => lintCommandMatcher(matcher, 'allow'))).toEqual([]);
});

it('finds what runs or is written beside the commands of the rules', async () => {
  const lines = [
    'git status; id',
    'git $(id)',
    'git status &',
    'set -x',
    'A=1',
    'git *',
    'cd / && git status',
    'grep x >y',
  ];
  const runs = await runLines(lines);
  const found = runs.filter((run) => [...findingsOf(run)].length > 0);
  expect(found.filter(({ shell }) => shell === 'bash').map(({ text }) => text)).toEqual(lines);
});

it(
  'security 22: real shells run nothing under an allow that the rules do not say',
  async () => {
    const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000);
    const end = Date.now() + SECONDS * 1_000;
    const findings: { seed: number; shell: string; text: string; finding: string }[] = [];
    const seen = new Set<string>();
    let ran = 0;
    for (let batch = seed; findings.length === 0 && (batch === seed || Date.now() < end); batch++) {
      const texts = fc.sample(commandLines, { numRuns: LINES_IN_A_BATCH, seed: batch });
      for (const text of texts) mentionIn(text, KUBECTL);
      const allowed = [...new Set(texts)].filter((text) => !seen.has(text) && isAllowed(text));
      for (const text of allowed) {
        seen.add(text);
        const second = countCommands(text);
        if (!agrees(text, second))
          findings.push({ seed: batch, shell: 'tree-sitter-bash', text, finding: JSON.stringify(second) });
      }
      for (const run of await runLines(allowed))
        for (const finding of findingsOf(run))
          findings.push({ seed: batch, shell: run.shell, text: run.text, finding });
      ran += allowed.length;
    }
    expect(findings).toEqual([]);
    expect(ran).toBeGreaterThan(100);
    console.log(`${ran} different lines were allowed and ran`);
  },
  SECONDS * 1_000 + 180_000,
);
