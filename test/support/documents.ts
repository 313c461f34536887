import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
const STEP_WITHIN_MS = 60_000;

/**
 * A fenced command whose info string begins with `run`, and the fence below it whose info string ends with `output`.
 * `run background`: it goes on while the next ones run. `run exit=1`: it is to end with that code.
 * `not run: REASON` is what any other one says.
 */
export interface Step {
  readonly line: number;
  /** The heading of the second level that it stands under. */
  readonly section: string;
  readonly command: string;
  readonly expected: string | null;
  readonly exitCode: number;
  readonly background: boolean;
}

interface Fence {
  readonly start: number;
  readonly end: number;
  readonly line: number;
  readonly language: string;
  readonly words: readonly string[];
  readonly body: string;
}

function fencesOf(text: string): Fence[] {
  return [...text.matchAll(/^( *)```(\w+)(?: ([^\n]*))?\n([\s\S]*?)^ *```$/gm)].map((match) => {
    const [all, indent = '', language = '', info = '', body = ''] = match;
    const lines = body.split('\n').map((line) => line.slice(line.startsWith(indent) ? indent.length : 0));
    const end = match.index + all.length;
    const line = text.slice(0, match.index).split('\n').length;
    return {
      start: match.index,
      end,
      line,
      language,
      words: info.split(' '),
      body: lines.join('\n').trimEnd(),
    };
  });
}

/** The code block of a document in this language that contains the text. @throws Error when there is none. */
export function printed(path: string, language: string, having: string): string {
  const fences = fencesOf(readFileSync(join(ROOT, path), 'utf8'));
  const fence = fences.find((each) => each.language === language && each.body.includes(having));
  if (!fence) throw new Error(`${path} prints no ${language} with ${having}`);
  return fence.body;
}

/** The steps of a document, in order. */
export function stepsOf(path: string): Step[] {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const fences = fencesOf(text);
  return fences.flatMap((fence, index) => {
    if (fence.language !== 'sh' || fence.words[0] !== 'run') return [];
    const next = fences[index + 1];
    const told = next?.words.includes('output') === true && text.slice(fence.end, next.start).trim() === '';
    const headings = [...text.slice(0, fence.start).matchAll(/^## (.+)$/gm)];
    return [
      {
        line: fence.line,
        section: headings.at(-1)?.[1] ?? '',
        command: fence.body,
        expected: told ? next.body : null,
        exitCode: Number(/exit=(\d+)/.exec(fence.words.join(' '))?.[1] ?? 0),
        background: fence.words.includes('background'),
      },
    ];
  });
}

/** The first lines of the fenced commands that are neither run nor say why not, as `path:line`. */
export function unexplainedCommands(path: string): string[] {
  return readFileSync(join(ROOT, path), 'utf8')
    .split('\n')
    .flatMap((line, index) =>
      /^ *```(sh|bash|shell|console)\b/.test(line) && !/^ *```sh (run( |$)|not run: \S)/.test(line)
        ? [`${path}:${index + 1}`]
        : [],
    );
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** True if the output is the expected one: `…` matches anything in a line; alone, it matches any number of lines. */
export function outputFits(expected: string, actual: string): boolean {
  const lines = expected.trimEnd().split('\n');
  const pattern = lines
    .map((line) => {
      if (line.trim() === '…') return '(?:[^\\n]*\\n)*';
      return `${line.trimEnd().split('…').map(escaped).join('[^\\n]*')}[ \\t]*\\n`;
    })
    .join('');
  return new RegExp(`^${pattern}$`, 'u').test(`${actual.trimEnd()}\n`);
}

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** One shell after another, each going on with the variables and functions of the one before. */
export class DocumentShell {
  private readonly stateFile: string;

  /** @param moved what stands in the document → where it is here. */
  constructor(
    private readonly cwd: string,
    private readonly environment: Readonly<Record<string, string>>,
    private readonly moved: Readonly<Record<string, string>>,
    scratch: string,
  ) {
    this.stateFile = join(scratch, `shell-${Math.random().toString(36).slice(2)}`);
    writeFileSync(this.stateFile, '');
  }

  private here(text: string): string {
    return Object.entries(this.moved).reduce((done, [from, to]) => done.replaceAll(from, to), text);
  }

  /** Translates our text into the words of a document. */
  private there(text: string): string {
    return Object.entries(this.moved).reduce((done, [from, to]) => done.replaceAll(to, from), text);
  }

  async run(step: Pick<Step, 'command' | 'background'>): Promise<Ran> {
    // Plain variables, exported or not, as they are: a command that needs one exported must say so.
    const keep = step.background
      ? ''
      : `\n{ declare -p | grep -E '^declare -[-x] '; declare -f; } > ${this.stateFile}`;
    const script = `set -euo pipefail\n. ${this.stateFile}\n${this.here(step.command)}${keep}\n`;
    const shell = spawn('bash', ['-c', script], {
      cwd: this.cwd,
      env: { ...this.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: STEP_WITHIN_MS,
    });
    let [out, err] = ['', ''];
    shell.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
    shell.stderr.on('data', (chunk: Buffer) => (err += chunk.toString('utf8')));
    const code = await new Promise<number | null>((ended) => shell.once('close', ended));
    return { code, out: this.there(out), err: this.there(err) };
  }
}

/**
 * Runs every step of a document and compares.
 *
 * @param begun waits until what the background step began is under way; @returns what differs, one text a step
 */
export const followDocument = (
  path: string,
  shell: DocumentShell,
  begun?: () => Promise<unknown>,
): Promise<string[]> => followSteps(path, stepsOf(path), shell, begun);

/** The same with some of its steps. */
export async function followSteps(
  path: string,
  steps: readonly Step[],
  shell: DocumentShell,
  begun: () => Promise<unknown> = () => Promise.resolve(),
): Promise<string[]> {
  const differences: string[] = [];
  const waiting: Promise<void>[] = [];
  const judge = (step: Step, { code, out, err }: Ran): void => {
    const told = `${path}:${step.line}\n$ ${step.command}`;
    if (code !== step.exitCode) differences.push(`${told}\nended with ${String(code)}:\n${out}${err}`);
    else if (step.expected !== null && !outputFits(step.expected, out))
      differences.push(`${told}\nprinted:\n${out}\ninstead of:\n${step.expected}`);
  };
  for (const step of steps) {
    const ran = shell.run(step).then((result) => judge(step, result));
    if (!step.background) await ran;
    else {
      waiting.push(ran);
      await begun();
    }
  }
  await Promise.all(waiting);
  return differences;
}
