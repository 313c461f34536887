import { userInfo } from 'node:os';
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import type { Config } from '../../config/environment';
import { formatLane } from '../../channels/telegram/lane';
import type { NamedPerson } from '../../people/people-store';
import type { Passkey } from '../../people/passkeys/passkey-store';
import type { Passkeys } from '../../people/passkeys/passkeys';
import { show, table } from '../output';

interface Format {
  readonly json?: boolean;
}

/** Actor for the audit log: the user name at this machine. */
const actor = (): string => `cli:${userInfo().username}`;

/** The format of the registry; it changes with the meaning of a member. */
const REGISTRY = 'countersign-passkeys/1';

/** Loads the database code lazily: without it, every other command starts twice as fast. */
async function withPasskeys<T>(work: (passkeys: Passkeys, config: Config) => Promise<T>): Promise<T> {
  const [{ Passkeys: Service }, { PasskeyStore }, { besideService }] = await Promise.all([
    import('../../people/passkeys/passkeys.js'),
    import('../../people/passkeys/passkey-store.js'),
    import('../join-service.js'),
  ]);
  return besideService(({ database, config }) =>
    work(new Service(new PasskeyStore(database), config), config),
  );
}

/** @throws Error where the console is off */
function linkOf({ console, http }: Config, token: string): string {
  if (console === null)
    throw new Error('the console is off: set CONSOLE_URL to the https address at which browsers reach it');
  return `${console.url ?? `http://localhost:${http.port}`}/console#invite=${token}`;
}

async function invite(name: string, options: Format): Promise<void> {
  const link = await withPasskeys(async (passkeys, config) => {
    linkOf(config, ''); // Before the invitation is made.
    return linkOf(config, await passkeys.invite(name, actor(), true));
  });
  show(
    { person: name, link, minutes: 15 },
    [
      `${name} makes their first passkey with this link, once and within 15 minutes:`,
      link,
      'Whoever opens it first gets the passkey: send it where only that person reads. Making it is announced in the chat.',
    ],
    options,
  );
}

const moment = (date: Date | null, none: string): string => date?.toISOString() ?? none;

/** The people of the active policy; empty: it names nobody. */
async function namedPeople(): Promise<readonly NamedPerson[]> {
  const [{ PeopleStore }, { besideService }] = await Promise.all([
    import('../../people/people-store.js'),
    import('../join-service.js'),
  ]);
  return besideService(({ database }) => new PeopleStore(database).list());
}

function linesOfPeople(people: readonly NamedPerson[]): string[] {
  if (people.length === 0) return [];
  const head = ['PERSON', 'GROUPS', 'TELEGRAM', 'PASSKEYS', 'OPENID ACCOUNT'];
  const rows = people.map(({ name, groups, hasTelegram, hasStarted, passkeys, hasAccount }) => [
    name,
    groups.join(', ') || '-',
    hasTelegram ? (hasStarted ? 'started' : 'not started') : '-',
    String(passkeys),
    hasAccount ? 'named' : '-',
  ]);
  return [...table([head, ...rows]), ''];
}

async function list(options: Format): Promise<void> {
  const people = await namedPeople();
  const passkeys = await withPasskeys((all) => all.list());
  const rows = passkeys.map(({ id, person, createdAt, usedAt, revokedAt }) => [
    person,
    id,
    moment(createdAt, '-'),
    moment(usedAt, 'never'),
    moment(revokedAt, '-'),
  ]);
  const head = ['PERSON', 'PASSKEY', 'MADE', 'LAST USED', 'REMOVED'];
  show(
    {
      people,
      passkeys: passkeys.map(({ id, person, createdAt, usedAt, revokedAt }) => ({
        id,
        person,
        createdAt,
        usedAt,
        revokedAt,
      })),
    },
    [
      ...linesOfPeople(people),
      ...(passkeys.length === 0
        ? ['Nobody has a passkey. Make the first one: countersign people invite NAME']
        : table([head, ...rows])),
    ],
    options,
  );
}

/** @throws Error if not exactly one passkey begins so */
function oneOf(passkeys: readonly Passkey[], beginning: string): Passkey {
  const found = passkeys.filter(({ id }) => id.startsWith(beginning));
  const [passkey] = found;
  if (passkey === undefined)
    throw new Error(`no passkey begins with ${beginning}; "countersign people list" shows all`);
  if (found.length > 1)
    throw new Error(`${found.length} passkeys begin with ${beginning}; give more of the id`);
  return passkey;
}

async function removePasskey(beginning: string, options: Format): Promise<void> {
  const removed = await withPasskeys(async (passkeys, { telegram }) => {
    const { id } = oneOf(await passkeys.list(), beginning);
    return passkeys.revoke(id, actor(), telegram === null ? [] : [formatLane(telegram)]);
  });
  show(
    { id: removed.id, person: removed.person },
    [`The passkey ${removed.id} of ${removed.person} is removed; its sessions have ended.`],
    options,
  );
}

async function exportRegistry(file: string | undefined): Promise<void> {
  const { publicJwkOf } = await import('../../people/passkeys/public-jwk.js');
  const all = await withPasskeys((passkeys) => passkeys.list());
  const passkeys = await Promise.all(
    all.map(async ({ id, person, publicKey, createdAt, revokedAt }) => ({
      credentialId: id,
      person,
      publicKey: await publicJwkOf(publicKey),
      createdAt,
      revokedAt,
    })),
  );
  const text = `${JSON.stringify({ format: REGISTRY, exportedAt: new Date(), passkeys }, null, 2)}\n`;
  if (file === undefined) process.stdout.write(text);
  else writeFileSync(file, text);
}

const command = (name: string, description: string): Command =>
  new Command(name).description(description).option('--json', 'print the result as JSON');

/** `countersign people …`: works on `DATABASE_URL` or `DATA_DIR`; the service need not run. */
export function peopleCommand(): Command {
  return new Command('people')
    .description('Passkeys of people: invite, list, remove, export for verification')
    .addCommand(
      command('invite', 'Make a link with which a person makes their first passkey')
        .argument(
          '<name>',
          'a person of the policy; without such a policy, an operator or the owner of a key',
        )
        .action(invite),
    )
    .addCommand(
      command('list', 'Show the people of the policy, and all passkeys, also the removed ones').action(list),
    )
    .addCommand(
      command('remove-passkey', 'End a passkey and its sessions')
        .argument('<id>', 'its id, or the beginning of it')
        .action(removePasskey),
    )
    .addCommand(
      new Command('export')
        .description('Write the registry of public keys, against which receipts verify')
        .argument('[file]', 'default: standard output')
        .action(exportRegistry),
    );
}
