import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  existsSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where the first command of each line runs, in a directory of its own. */
export const SHOP = '/shop';

/** The mark of a command that bash traces; no line that is allowed has it. */
export const TRACED = '\u0001';

/**
 * Runs each line in a shell of its own that finds no program. It writes down each command that it does not find, and bash
 * also each command that it runs itself.
 */
const SCRIPTS: Record<string, string> = {
  bash: `
    command_not_found_handle() { set +x; printf '%s\\0' "$PWD" "$#" "$@" >>"$RECORD"; }
    PS4='${TRACED}' PATH=/nowhere
    for ((n = 0; n < $1; n++)); do
      text=$(<lines/$n)
      (
        cd "$ROOT/bash/$n/shop"
        RECORD=$ROOT/bash/$n/record
        exec 9>"$ROOT/bash/$n/trace" </dev/null >/dev/null 2>&1
        BASH_XTRACEFD=9
        set -x
        eval "$text"
      )
    done`,
  // dash has no handler of commands that are not found: those that the rules know are functions.
  dash: `
    record() { printf '%s\\0' "$PWD" "$#" "$@" >>"$RECORD"; }
    ${['git', 'npm', 'grep', 'ls', 'report', 'id', 'evil', 'rm'].map((name) => `${name}() { record ${name} "$@"; }`).join('\n')}
    n=0
    while [ $n -lt $1 ]; do
      text=$(cat lines/$n)
      (
        cd "$ROOT/dash/$n/shop"
        RECORD=$ROOT/dash/$n/record PATH=/nowhere
        exec </dev/null >/dev/null 2>&1
        eval "$text"
      )
      n=$((n + 1))
    done`,
};
export const SHELLS = Object.keys(SCRIPTS);

export interface Execution {
  /** Below the directory of the line: \`/shop` is where it begins. */
  readonly directory: string;
  readonly argv: readonly string[];
}

export interface Run {
  readonly shell: string;
  readonly text: string;
  readonly executions: readonly Execution[];
  /** Each command that the shell itself ran, as bash traces it; empty for other shells. */
  readonly traced: readonly string[];
  /** Files that are new or changed, below the directory of the line. */
  readonly written: readonly string[];
}

/** Memory where there is some: each line has several files. */
const DIRECTORIES = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Files of the directory of each line. */
const FILES: Record<string, string> = {
  '/shop/src/a.ts': 'a',
  '/shop/docs/a': 'a',
  '/shop/out/old': 'a',
  '/README': 'a',
};

/** Runs each line with each shell, in a directory of its own. */
export async function runLines(lines: readonly string[]): Promise<Run[]> {
  const root = mkdtempSync(join(DIRECTORIES, 'countersign-fuzz-'));
  try {
    mkdirSync(join(root, 'lines'));
    for (const [n, text] of lines.entries()) {
      writeFileSync(join(root, 'lines', String(n)), text);
      for (const shell of SHELLS) makeDirectory(join(root, shell, String(n)));
    }
    await Promise.all(SHELLS.map((shell) => runScript(shell, root, lines.length)));
    return lines.flatMap((text, n) =>
      SHELLS.map((shell) => ({ shell, text, ...readRun(join(root, shell, String(n))) })),
    );
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function makeDirectory(directory: string): void {
  for (const [path, content] of Object.entries(FILES)) {
    mkdirSync(join(directory, path, '..'), { recursive: true });
    writeFileSync(join(directory, path), content);
  }
}

async function runScript(shell: string, root: string, lines: number): Promise<void> {
  const running = spawn(shell, ['-c', SCRIPTS[shell] ?? '', shell, String(lines)], {
    cwd: root,
    env: { PATH: process.env.PATH, ROOT: root, LC_ALL: 'C.UTF-8', HOME: join(root, 'home') },
    stdio: 'ignore',
    timeout: 120_000,
  });
  const [code, signal] = (await once(running, 'exit')) as [number | null, string | null];
  if (signal !== null) throw new Error(`${shell} ended with ${code ?? signal}`);
}

function readRun(directory: string): Omit<Run, 'shell' | 'text'> {
  return {
    executions: readRecord(join(directory, 'record'), directory),
    traced: readIf(join(directory, 'trace'))
      .split(new RegExp(`^(?=${TRACED})`, 'm'))
      // The first is the `eval` of the line.
      .slice(1)
      .filter((command) => command !== `${TRACED}${TRACED}set +x\n`),
    written: readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(directory.length))
      .filter((path) => path !== '/record' && path !== '/trace')
      .filter((path) => FILES[path] === undefined || readFileSync(directory + path, 'utf8') !== FILES[path]),
  };
}

function readRecord(path: string, directory: string): Execution[] {
  const fields = readIf(path).split('\0').slice(0, -1);
  const executions: Execution[] = [];
  for (let at = 0; at < fields.length;) {
    const cwd = fields[at] ?? '';
    const end = at + 2 + Number(fields[at + 1]);
    executions.push({
      directory: cwd.startsWith(directory) ? cwd.slice(directory.length) : cwd,
      argv: fields.slice(at + 2, end),
    });
    at = end;
  }
  return executions;
}

function readIf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
