import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { z } from 'zod';
import { digestOf, keyNameSchema, newKey, ownerSchema, type KeyRecord } from '../../access/api-key';
import { ROLES, type Role } from '../../http/role';
import type { KeyStore } from '../../access/key-store';
import type { Surroundings } from '../join-service';
import { show, table } from '../output';

interface Format {
  readonly json?: boolean;
}

/** Actor for the audit log: the user name at this machine. */
const actor = (): string => `cli:${userInfo().username}`;

const checkedBy = (schema: z.ZodType<string>) => (value: string) => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(`It ${parsed.error.issues.map(({ message }) => message).join('; ')}.`);
};

/** Loads the database code lazily: without it, every other command starts twice as fast. */
async function withKeys<T>(
  work: (keys: KeyStore, beside: Surroundings) => Promise<T>,
  ifNone?: 'make',
): Promise<T> {
  const [{ KeyStore }, { besideService }] = await Promise.all([
    import('../../access/key-store.js'),
    import('../join-service.js'),
  ]);
  return besideService((beside) => work(new KeyStore(beside.database), beside), ifNone);
}

const describe = ({ role, owner }: KeyRecord): string => (owner === null ? role : `${role}, owner ${owner}`);

async function add(options: Format & { role: Role; name: string; owner?: string }): Promise<void> {
  const { role, name, owner = null } = options;
  const key = newKey(role);
  // An administrator may add a key before the service's first start.
  const [added, madeIn] = await withKeys(
    async (keys, beside) => [
      await keys.add({ name, role, owner, digest: digestOf(key) }, actor()),
      beside.madeIn,
    ],
    'make',
  );
  if (madeIn !== null) {
    process.stderr.write(
      `countersign: ${madeIn} held no database: a new one was made there. ` +
        'A service uses this key only when it is started with this DATA_DIR and without DATABASE_URL.\n',
    );
  }
  if (added === null) {
    throw new Error(`the name ${name} is taken, and stays so after a key is revoked; choose another`);
  }
  const { createdAt } = added;
  show(
    { name, role, owner, key, createdAt },
    [
      `Key ${name} (${describe(added)}) ${madeIn === null ? 'counts from now on, on every replica within a second' : 'counts from the first start on'}.`,
      `It is shown this once:`,
      key,
    ],
    options,
  );
}

const moment = (date: Date | null, none: string): string => date?.toISOString() ?? none;

async function list(options: Format): Promise<void> {
  const [keys, generated] = await withKeys(async (store, { config }) => [
    await store.list(),
    resolve(join(config.dataDir, 'keys.json')),
  ]);
  const rows = keys.map(({ name, role, owner, createdAt, lastUsedAt, revokedAt }) => [
    name,
    role,
    owner ?? '-',
    moment(createdAt, '-'),
    moment(lastUsedAt, 'never'),
    moment(revokedAt, '-'),
  ]);
  const head = ['NAME', 'ROLE', 'OWNER', 'CREATED', 'LAST USED', 'REVOKED'];
  const none = [
    'There are no keys.',
    ...(existsSync(generated)
      ? [`The pair in ${generated}, which the service made itself, may be in use.`]
      : []),
  ];
  show({ keys }, keys.length === 0 ? none : table([head, ...rows]), options);
}

async function revoke(name: string, options: Format): Promise<void> {
  const key = await withKeys((keys) => keys.revoke(name, actor()));
  if (key === null) throw new Error(`there is no key named ${name}; "countersign keys list" shows all`);
  show(
    { name, revokedAt: key.revokedAt },
    [
      `Key ${name} (${describe(key)}) was revoked at ${moment(key.revokedAt, '')}; no replica takes it a second later.`,
    ],
    options,
  );
}

async function rotateSigning(options: Format): Promise<void> {
  const [{ ROTATION_OVERLAP_SECONDS, SigningKeyStore }, { besideService }] = await Promise.all([
    import('../../receipts/signing-key-store.js'),
    import('../join-service.js'),
  ]);
  const retiring = await besideService(({ database }) => new SigningKeyStore(database).retireAll(actor()));
  show(
    { retiring, overlapSeconds: ROTATION_OVERLAP_SECONDS },
    [
      `Keys that sign receipts now and retire within ${ROTATION_OVERLAP_SECONDS / 60} minutes: ${retiring.join(', ') || 'none'}`,
      'Every replica that runs makes itself a new one and signs with it soon; what the old ones signed stays valid.',
      'A key that comes from APPROVAL_SIGNING_KEY stays in use: put a new one there, restart, and do this once more.',
    ],
    options,
  );
}

const command = (name: string, description: string): Command =>
  new Command(name).description(description).option('--json', 'print the result as JSON');

/** `countersign keys …`: works on `DATABASE_URL` or `DATA_DIR`; the service need not run. */
export function keysCommand(): Command {
  return new Command('keys')
    .description('API keys: make, list, revoke; the keys that sign receipts: rotate')
    .addCommand(
      command('add', 'Make a key and show it once')
        .addOption(
          new Option('--role <role>', 'what it is for (required)').choices(ROLES).makeOptionMandatory(),
        )
        .requiredOption('--name <name>', 'what it is called, for ever (required)', checkedBy(keyNameSchema))
        .option(
          '--owner <owner>',
          "whose it is: an operator's key decides nothing that an agent's key of the same owner asked",
          checkedBy(ownerSchema),
        )
        .action(add),
    )
    .addCommand(command('list', 'Show all keys, and never what they are').action(list))
    .addCommand(command('revoke', 'End a key').argument('<name>').action(revoke))
    .addCommand(command('rotate-signing', 'Have receipts signed with new keys').action(rotateSigning));
}
