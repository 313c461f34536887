import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const ROOT = join(__dirname, '../../..');
const PASSWORD = 'p:w\\d of@the/owner';
const ADDRESS = `postgres://countersign_owner:${encodeURIComponent(PASSWORD)}@127.0.0.1:5432/countersign?connect_timeout=5`;

/**
 * Every program that a script starts, as one: it notes its arguments and the password file that libpq would read, and
 * answers as far as the script goes on.
 */
const STAND_IN = `#!/bin/bash
name="$(basename "$0")"
printf '%s\\0' "$name" "$@" >> "$NOTES/arguments"
[ -z "\${PGPASSFILE:-}" ] || { stat -c '%a' "$PGPASSFILE"; cat "$PGPASSFILE"; } > "$NOTES/password-file"
case "$name $*" in
  psql*pg_tables*) echo 0 ;;
  psql*jws*) echo receipt ;;
  pg_dump*) for each; do case "$each" in --file=*) echo dump > "\${each#--file=}" ;; esac; done ;;
  openssl*) echo "\${RANDOM_KEY:?}$(cat "$NOTES/keys" 2> /dev/null | wc -l)" | tee -a "$NOTES/keys" ;;
  curl*) cat "\${@: -1}" 2> /dev/null; echo '{"id":"1"}' ;;
  env*) exec /usr/bin/env "$@" ;;
  node*main.js*)
    echo '{"event":"service.ready","url":"http://127.0.0.1:1"}'
    for each in OPERATOR_API_KEY AGENT_API_KEY DATABASE_URL; do
      file="\${each}_FILE"
      printf '%s=%s\\n' "$each" "\${!each:-$(cat "\${!file}")}" >> "\${TMPDIR:-/tmp}/environment"
    done
    exec sleep 60 ;;
esac
`;
const PROGRAMS = ['psql', 'pg_dump', 'pg_restore', 'openssl', 'curl', 'env', 'node', 'countersign'];

let directory: string;
let notes: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'countersign-arguments-'));
  notes = join(directory, 'notes');
  for (const name of ['bin', 'notes', 'scratch']) mkdirSync(join(directory, name));
  for (const name of PROGRAMS) {
    writeFileSync(
      join(directory, 'bin', name),
      STAND_IN.replaceAll('$NOTES', notes).replaceAll('${TMPDIR:-/tmp}', notes),
    );
    chmodSync(join(directory, 'bin', name), 0o755);
  }
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function run(script: string, env: Record<string, string>): { code: number | null; err: string } {
  const { status, stderr } = spawnSync(join(ROOT, 'deploy/postgres', script), [join(directory, 'backup')], {
    env: {
      PATH: `${join(directory, 'bin')}${delimiter}${process.env.PATH ?? ''}`,
      TMPDIR: join(directory, 'scratch'),
      RANDOM_KEY: 'random-key-of-the-drill-',
      ...env,
    },
    encoding: 'utf8',
  });
  return { code: status, err: stderr };
}

const noted = (name: string): string => readFileSync(join(notes, name), 'utf8');

describe('the arguments of programs, which everybody on the machine can read, hold no secret', () => {
  it.each([
    ['backup.sh', { DATABASE_MIGRATION_URL: ADDRESS, COUNTERSIGN_KEY: 'key-of-an-operator' }, 'pg_dump'],
    ['backup-drill.sh', { DRILL_URL: ADDRESS }, 'pg_restore'],
  ])('%s', (script, env, program) => {
    if (script === 'backup-drill.sh') mkdirSync(join(directory, 'backup'));
    expect(run(script, env)).toEqual({ code: 0, err: '' });
    const programs = noted('arguments').split('\0');
    expect(programs).toContain(program);
    expect(programs).toContain('postgres://countersign_owner@127.0.0.1:5432/countersign?connect_timeout=5');
    for (const secret of [
      PASSWORD,
      encodeURIComponent(PASSWORD),
      'key-of-an-operator',
      'random-key-of-the-drill',
    ]) {
      expect(noted('arguments')).not.toContain(secret);
    }
    // libpq reads this file, when nobody else can, with these characters escaped.
    expect(noted('password-file')).toBe('600\n*:*:*:*:p\\:w\\\\d of@the/owner\n');
    expect(readdirSync(join(directory, 'scratch'))).toEqual([]);
  });

  it('and the drill’s service and caller have their keys all the same', () => {
    mkdirSync(join(directory, 'backup'));
    expect(run('backup-drill.sh', { DRILL_URL: ADDRESS })).toEqual({ code: 0, err: '' });
    const [operator, agent] = noted('keys').trim().split('\n');
    expect(noted('environment')).toBe(
      `OPERATOR_API_KEY=${operator}\nAGENT_API_KEY=${agent}\nDATABASE_URL=${ADDRESS}\n`,
    );
  });

  it('an address with its password in the query is refused with what to do', () => {
    const url = 'postgres://countersign_owner@127.0.0.1/countersign?password=in-the-query';
    const { code, err } = run('backup.sh', { DATABASE_MIGRATION_URL: url });
    expect(code).toBe(1);
    expect(err).toMatch(/postgres:\/\/USER:PASSWORD@HOST/);
    expect(err).not.toContain('in-the-query');
    expect(existsSync(join(notes, 'arguments'))).toBe(false);
  });

  it.each(['hidden@part', 'hidden/part', 'hid@den/part'])(
    'an address with the password %s as it is, is refused with what to do',
    (password) => {
      const url = `postgres://countersign_owner:${password}@127.0.0.1/countersign`;
      const { code, err } = run('backup.sh', { DATABASE_MIGRATION_URL: url });
      expect(code).toBe(1);
      expect(err).toContain('write them as %40 and %2F');
      expect(err).not.toMatch(/hid|part/);
      expect(existsSync(join(notes, 'arguments'))).toBe(false);
    },
  );
});

/** A password, a key or an address with one, as a word that a shell expands into the arguments of a program. */
const SECRET_ARGUMENT =
  /^\s*(?!export |echo |printf |[A-Z_]+=)[^#|]*(?:\b(?:curl|psql|pg_dump|pg_restore|openssl|env|kubectl|docker)\b)[^|]*(?:Authorization: Bearer|\$\{?(?:DRILL_URL|DATABASE_[A-Z_]*URL|\w*PASSWORD|\w*_KEY)\b|\$\(cat [^)]*(?:key|password|url|token))/;

it('no command of the shipped scripts, the guide and the runbooks has a secret among its arguments', () => {
  const files = ['deploy', 'docs'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(sh|md)$/.test(name) && !name.startsWith('spec/'))
      .map((name) => join(folder, name)),
  );
  const found = files.flatMap((file) =>
    commandsIn(file)
      .filter(({ command }) => SECRET_ARGUMENT.test(command))
      .map(({ command }) => `${file}: ${command}`),
  );
  expect(found).toEqual([]);
});

/** The commands of a script, or of the shell fences of a document, continued lines joined. */
function commandsIn(file: string): { command: string }[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const scripts = file.endsWith('.md')
    ? [...text.matchAll(/^ *```sh[^\n]*\n([\s\S]*?)^ *```$/gm)].map(([, body = '']) => body)
    : [text];
  return scripts.flatMap((script) =>
    script
      .replaceAll('\\\n', ' ')
      .split('\n')
      .map((command) => ({ command })),
  );
}
