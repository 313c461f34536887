import { readFileSync, statSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { EmbeddedPostgresError } from './embedded-postgres-error';
import type { RunAs } from './run-program';

/**
 * Users that may replace root, in order of preference. `initdb` needs a user with a name, so a bare number is not
 * enough.
 */
const CANDIDATES = ['postgres', '_postgres', 'nobody', 'daemon'];

/** Returns the first candidate that the text of an `/etc/passwd` lists. */
export function userFrom(passwd: string): RunAs {
  const lines = passwd.split('\n').map((line) => line.split(':'));
  for (const name of CANDIDATES) {
    const [, , uid, gid] = lines.find((line) => line[0] === name) ?? [];
    if (uid !== undefined && gid !== undefined && Number(uid) > 0)
      return { uid: Number(uid), gid: Number(gid) };
  }
  return null;
}

/**
 * Chooses the user that PostgreSQL runs as: our own (null), or an unprivileged one, since it refuses root. The owner of
 * an existing cluster stays its owner.
 *
 * @throws EmbeddedPostgresError when root finds no such user.
 */
export function userFor(cluster: string): RunAs {
  if (process.getuid?.() !== 0) return null;
  const owner = statSync(cluster, { throwIfNoEntry: false });
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const user = userFrom(readFileSync('/etc/passwd', 'utf8'));
  if (user) return user;
  throw new EmbeddedPostgresError(
    `PostgreSQL does not run as root, and /etc/passwd has none of ${CANDIDATES.join(', ')}; run as an ordinary user, or set DATABASE_URL`,
  );
}

/** True if the user may pass through a directory with these attributes. */
export function mayEnter(stats: Pick<Stats, 'mode' | 'uid' | 'gid'>, user: NonNullable<RunAs>): boolean {
  const shift = stats.uid === user.uid ? 6 : stats.gid === user.gid ? 3 : 0;
  return ((stats.mode >> shift) & 1) === 1;
}

/** True if the user can reach files in the directory. */
export function canReach(directory: string, user: NonNullable<RunAs>): boolean {
  const parent = dirname(directory);
  return mayEnter(statSync(directory), user) && (parent === directory || canReach(parent, user));
}
