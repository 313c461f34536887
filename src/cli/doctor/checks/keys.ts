import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../../config/environment';
import type { KeyRecord } from '../../../access/api-key';
import { KeyStore } from '../../../access/key-store';
import { error, seen, skipped, warning, type Check, type Finding } from '../check';

const OTHERS_MAY = 0o077;
const SECRET_FILES = ['keys.json', 'signing-key.pem'];

/** Finds the service's secret files that other users of this machine can read. */
function openFiles({ dataDir }: Config): Omit<Finding, 'check'>[] {
  return SECRET_FILES.map((name) => join(dataDir, name))
    .filter((path) => existsSync(path) && (statSync(path).mode & OTHERS_MAY) !== 0)
    .map((path) => warning(`${path} can be read by others on this machine`, `chmod 600 ${path}`));
}

/** Checks that there are keys to ask and to decide, and that no other user can read the key files. */
export const keysCheck: Check = {
  name: 'keys',
  async examine({ reached, config }) {
    if (reached.database === null) return skipped('needs the database');
    const keys = (await new KeyStore(reached.database).list()).filter(({ revokedAt }) => revokedAt === null);
    const { agent, operator } = config.keys;
    const generated = agent === null && operator === null && existsSync(join(config.dataDir, 'keys.json'));
    const none = (role: KeyRecord['role'], own: string | null) =>
      own === null && !generated && !keys.some((key) => key.role === role);
    const findings = openFiles(config);
    if (none('agent', agent)) {
      findings.push(
        error('no agent has a key: nobody can ask', 'countersign keys add --role agent --name NAME'),
      );
    }
    if (none('operator', operator)) {
      const fix = 'countersign keys add --role operator --name NAME';
      findings.push(
        config.telegram === null
          ? error('no operator has a key, and Telegram is not configured here: nobody can decide', fix)
          : warning('no operator has a key: nobody can decide while Telegram is away', fix),
      );
    }
    const own = [agent, operator].filter((key) => key !== null).length;
    return seen(
      `${keys.length} made, ${generated ? 'a pair generated' : `${own} in the environment`}`,
      ...findings,
    );
  },
};
