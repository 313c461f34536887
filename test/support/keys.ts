import { digestOf, newKey } from '../../src/access/api-key';
import type { Role } from '../../src/http/role';
import type { TestDatabase } from './database';
import { until } from './until';

/** Makes a key as the command line does, without its process. @returns the key. */
export async function issueKey(
  database: TestDatabase,
  role: Role,
  name: string,
  owner: string | null = null,
): Promise<string> {
  const key = newKey(role);
  await database.query(
    `insert into api_keys (name, role, owner, digest, created_at) values ($1, $2, $3, $4, now())`,
    [name, role, owner, digestOf(key)],
  );
  return key;
}

export const revokeKey = (database: TestDatabase, name: string): Promise<unknown[]> =>
  database.query(`update api_keys set revoked_at = now() where name = $1`, [name]);

/** Waits until a replica takes the key, or no longer takes it. */
export function keyIs(taken: boolean, url: string, key: string): Promise<unknown> {
  return until(`the key is ${taken ? '' : 'no longer '}taken`, async () => {
    const { status } = await fetch(`${url}/api/diagnostics/database`, {
      headers: { authorization: `Bearer ${key}` },
    });
    // Any other answer, such as that of a rate limit, says nothing about the key.
    return taken ? status === 200 || status === 403 : status === 401;
  });
}
