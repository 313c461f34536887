import { readFileSync, statSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { EmbeddedPostgresError } from './embedded-postgres-error';
import type { RunAs } from './run-program';

/** Who may stand in for root, the most fitting first. `initdb` needs a user with a name, so a bare number will not do. */
const CANDIDATES = ['postgres', '_postgres', 'nobody', 'daemon'];

/** The first of the candidates that the text of an `/etc/passwd` knows. */
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
 * Whom PostgreSQL runs as: us (null), or, since it refuses root, somebody harmless.
 * The owner of a cluster that already exists stays its owner.
 *
 * @throws EmbeddedPostgresError when root finds nobody to be.
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

/** Whether the user may pass through a directory with these attributes. */
export function mayEnter(stats: Pick<Stats, 'mode' | 'uid' | 'gid'>, user: NonNullable<RunAs>): boolean {
  const shift = stats.uid === user.uid ? 6 : stats.gid === user.gid ? 3 : 0;
  return ((stats.mode >> shift) & 1) === 1;
}

/** Whether the user can reach what is in the directory. */
export function canReach(directory: string, user: NonNullable<RunAs>): boolean {
  const parent = dirname(directory);
  return mayEnter(statSync(directory), user) && (parent === directory || canReach(parent, user));
}
