import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { callService, type ServiceDoor } from '../../agent-side/client/service-call';
import { utc } from '../../cards/moments';
import { shortId } from '../../cards/short-id';
import { durationMs } from '../../policy/document/duration';
import { about } from '../approvals/about';
import { findApproval } from '../approvals/find-approval';
import { complain, Findings, show, table } from '../output';
import { doorOf, withServiceOptions, type ServiceOptions } from '../service-options';

const actor = z.object({ kind: z.string(), id: z.string(), name: z.string() });
const offersSchema = z.object({
  offers: z.array(z.object({ id: z.string(), scope: z.string(), covered: z.number() })),
});
const madeSchema = z.object({
  id: z.string(),
  scope: z.string(),
  expiresAt: z.string(),
  usesLeft: z.number().nullable(),
  by: actor,
});
const grantsSchema = z.object({
  items: z.array(
    madeSchema.extend({
      key: z.string(),
      cwd: z.string().nullable(),
      toolName: z.string(),
      uses: z.number(),
    }),
  ),
});
type Grant = z.infer<typeof grantsSchema>['items'][number];

interface MakeOptions extends ServiceOptions {
  readonly offer: string;
  readonly for?: number;
  readonly uses?: number;
  readonly cwd?: true;
}

/** `countersign grants`: answers for the next requests like one that an operator approves. */
export function grantsCommand(): Command {
  const remote = (name: string, description: string) =>
    withServiceOptions(new Command(name).description(description));
  return new Command('grants')
    .description('Grants: list, offers, make, late, revoke')
    .addCommand(remote('list', 'The grants that may still be used, newest first').action(list))
    .addCommand(
      remote('offers', 'The grants that may be made from a pending request, narrowest first')
        .argument('<id>', 'short or full id of the request')
        .action(offers),
    )
    .addCommand(
      remote('make', 'Approve a request, and the next ones like it until the grant ends')
        .argument('<id>', 'short or full id of the request')
        .requiredOption('--offer <offer>', 'id of the offer, or its number in the list')
        .option('--for <time>', 'how long, such as 30m or 8h; at most 8h, else 1h', seconds)
        .option('--uses <n>', 'at most so many uses', uses)
        .option('--cwd', 'for every session in the directory of the request, not for its session alone')
        .action(make),
    )
    .addCommand(
      remote('late', 'Allow one repetition of a request that expired, or whose agent left, in the last hour')
        .argument('<id>', 'short or full id of the request')
        .action(makeLate),
    )
    .addCommand(
      remote('revoke', 'End a grant on all replicas')
        .argument('<id>', 'short or full id of the grant')
        .action(revoke),
    );
}

const offersOf = (door: ServiceDoor, id: string) =>
  callService(door, { method: 'GET', path: `/api/approvals/${id}/grant-offers` }, offersSchema);

function list(options: ServiceOptions): Promise<void> {
  return about(options, async () => {
    const grants = await callService(doorOf(options), { method: 'GET', path: '/api/grants' }, grantsSchema);
    show(grants, grants.items.length === 0 ? ['No grant is open.'] : table(rowsOf(grants.items)), options);
  });
}

function rowsOf(items: readonly Grant[]): string[][] {
  return [
    ['GRANT', 'SCOPE', 'KEY', 'FOR', 'TOOL', 'USES', 'LEFT', 'ENDS', 'BY'],
    ...items.map(({ id, scope, key, cwd, toolName, uses: used, usesLeft, expiresAt, by }) => [
      shortId(id),
      scope,
      key,
      cwd ?? 'session',
      toolName,
      String(used),
      usesLeft === null ? '' : String(usesLeft),
      utc(new Date(expiresAt)),
      by.name,
    ]),
  ];
}

function offers(id: string, options: ServiceOptions): Promise<void> {
  return about(options, async (client) => {
    const approval = await findApproval(client, id);
    const found = await offersOf(doorOf(options), approval.id);
    const rows = found.offers.map(({ id: offer, scope, covered }, nth) => [
      String(nth + 1),
      offer,
      scope,
      String(covered),
    ]);
    const none = ['Nothing is offered: a rule asks about it, or the next one like it cannot be told.'];
    const lines = rows.length === 0 ? none : table([['', 'OFFER', 'SCOPE', 'WOULD HAVE COVERED'], ...rows]);
    show(found, lines, options);
  });
}

function make(id: string, options: MakeOptions): Promise<void> {
  return about(options, async (client) => {
    const approval = await findApproval(client, id);
    const door = doorOf(options);
    const offer = /^[1-4]$/.test(options.offer)
      ? (await offersOf(door, approval.id)).offers[Number(options.offer) - 1]?.id
      : options.offer;
    const place = options.cwd ? 'cwd' : 'session';
    const body = { approvalId: approval.id, offer, seconds: options.for, uses: options.uses, place };
    const made = await callService(door, { method: 'POST', path: '/api/grants', body }, madeSchema);
    showMade(made, options);
  });
}

function makeLate(id: string, options: ServiceOptions): Promise<void> {
  return about(options, async (client) => {
    const approval = await findApproval(client, id);
    const path = `/api/approvals/${approval.id}/late-grant`;
    showMade(await callService(doorOf(options), { method: 'POST', path }, madeSchema), options);
  });
}

function showMade(made: z.infer<typeof madeSchema>, options: ServiceOptions): void {
  const left = made.usesLeft === null ? '' : `, ${made.usesLeft} use${made.usesLeft === 1 ? '' : 's'} left`;
  show(made, [`Granted: ${made.scope}, until ${utc(new Date(made.expiresAt))}${left} (${made.id})`], options);
}

function revoke(id: string, options: ServiceOptions): Promise<void> {
  return about(options, async () => {
    const door = doorOf(options);
    const { items } = await callService(door, { method: 'GET', path: '/api/grants' }, grantsSchema);
    const [grant, ...others] = items.filter((each) => each.id === id || shortId(each.id) === id);
    if (!grant || others.length > 0) {
      const message = grant ? `${id} could mean several grants: give the whole id` : `no grant ${id} is open`;
      if (options.json === true) show({ error: { code: 'grant.not-found', message } }, [], options);
      else complain(message);
      throw new Findings(message);
    }
    await callService(door, { method: 'DELETE', path: `/api/grants/${grant.id}` }, z.null());
    show({ id: grant.id, revoked: true }, [`Revoked: ${grant.scope}, after ${grant.uses} uses`], options);
  });
}

function seconds(text: string): number {
  const value = (durationMs(text) ?? 0) / 1000;
  if (value >= 1 && value <= 8 * 3600) return value;
  throw new InvalidArgumentError('It must be a time from 1s to 8h, such as 30m.');
}

function uses(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1000) return value;
  throw new InvalidArgumentError('It must be a whole number from 1 to 1000.');
}
