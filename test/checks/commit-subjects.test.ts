import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
/** Commits before this date do not follow the rule. */
const SINCE = '2026-11-29T22:30:00Z';
const SUBJECT = /^(?=.{1,72}$)[a-z][\w ./-]*(?:, [\w ./-]+)*: \S.*[^.]$/;

/** Subjects since the rule exists; none in a tarball, which has no repository. */
function subjects(): string[] {
  if (!existsSync(join(ROOT, '.git'))) return [];
  const log = ['log', '--no-merges', `--since=${SINCE}`, '--format=%s'];
  const { status, stdout, stderr } = spawnSync('git', ['-C', ROOT, ...log], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`git log failed: ${stderr}`);
  return stdout.split('\n').filter((line) => line !== '');
}

it('accepts only subjects that begin with their area and have at most 72 characters', () => {
  expect(subjects().filter((subject) => !SUBJECT.test(subject))).toEqual([]);
});

it.each(['Fix a bug', 'outbox: requeue leased work on shutdown.', `outbox: ${'x'.repeat(65)}`, 'outbox:'])(
  'refuses %j',
  (subject) => {
    expect(subject).not.toMatch(SUBJECT);
  },
);

it('accepts a subject of 72 characters', () => {
  expect(`outbox: ${'x'.repeat(64)}`).toMatch(SUBJECT);
});
