import { randomUUID } from 'node:crypto';
import { AuditCheckpoints } from '../../src/audit/audit-checkpoints';
import { RetentionJob } from '../../src/retention/retention-job';
import { TELEGRAM_ON } from '../support/open-store';
import { ownService } from '../support/own-service';
import { Scrape } from '../support/scrape';
import { until } from '../support/until';

const RETENTION_DAYS = 30;

// Nobody works the outbox off: Telegram is where nothing listens.
const service = ownService({
  ...TELEGRAM_ON,
  TELEGRAM_API_ROOT: 'http://127.0.0.1:9',
  APPROVAL_RETENTION_DAYS: String(RETENTION_DAYS),
});

const run = () => service.app.get(RetentionJob).run();

/** A request decided this many days ago, and asked a minute before that. */
async function decided(daysAgo: number, headers: Record<string, string> = {}): Promise<string> {
  const { body } = await service.api.enqueue({}, headers);
  // The card is on its way, so that its outcome is work for Telegram.
  await service.database.query(
    `insert into cards (approval_id, chat_id, nonce, created_at, sending_at) values ($1, -1001, $2, now(), now())`,
    [body.id, randomUUID()],
  );
  await service.api.decide(body.id, 'approved');
  return aged(body.id, daysAgo);
}

/** The same request, with everything it left, as it would be had it been asked so long ago. @returns its id. */
async function aged(id: string, daysAgo: number): Promise<string> {
  const [row] = await service.database.query<{ id: string }>(
    `update approvals set id = uuid_v7(now() - make_interval(days => $2, mins => 1)),
       created_at = now() - make_interval(days => $2, mins => 1), settled_at = settled_at - make_interval(days => $2)
     where id = $1 returning id`,
    [id, daysAgo],
  );
  const aged = row?.id ?? '';
  for (const table of ['outbox', 'cards', 'audit_log', 'decisions'])
    await service.database.query(`update ${table} set approval_id = $2 where approval_id = $1`, [id, aged]);
  await service.database.query(`update receipts set approval_id = $2 where approval_id = $1`, [id, aged]);
  await service.database.query(
    `insert into cards (approval_id, chat_id, nonce, created_at) values ($1, -1001, $2, now())`,
    [aged, randomUUID()],
  );
  return aged;
}

async function left(
  table: 'approvals' | 'cards' | 'receipts' | 'decisions' | 'outbox' | 'audit_log',
  id: string,
): Promise<number> {
  const column = table === 'approvals' ? 'id' : 'approval_id';
  return (await service.database.query(`select 1 from ${table} where ${column} = $1`, [id])).length;
}

it('removes what was settled before the retention time with its cards, its receipt and its Telegram work, and keeps the rest', async () => {
  const old = await decided(RETENTION_DAYS + 1);
  const young = await decided(RETENTION_DAYS - 1);
  await run();
  expect((await service.api.get(old)).status).toBe(404);
  expect((await service.api.get(young)).body.status).toBe('approved');
  for (const table of ['approvals', 'cards', 'receipts', 'decisions', 'outbox'] as const) {
    expect([table, await left(table, old)]).toEqual([table, 0]);
    expect([table, (await left(table, young)) > 0]).toEqual([table, true]);
  }
});

it('counts from the settlement: a request asked before the retention time and settled after it stays', async () => {
  const id = await decided(RETENTION_DAYS + 1);
  await service.database.query(`update approvals set settled_at = now() - interval '1 day' where id = $1`, [
    id,
  ]);
  await run();
  expect(await left('approvals', id)).toBe(1);
});

it('never removes a request that is pending, however old', async () => {
  const { body } = await service.api.enqueue();
  const old = await aged(body.id, 10 * RETENTION_DAYS);
  await run();
  expect(await left('approvals', old)).toBe(1);
});

it('keeps an Idempotency-Key as long as its request, and no longer', async () => {
  const headers = { 'idempotency-key': 'deploy-42' };
  const old = await decided(RETENTION_DAYS + 1, headers);
  expect((await service.api.enqueue({}, headers)).body.id).toBe(old);
  await run();
  const again = await service.api.enqueue({}, headers);
  expect(again.status).toBe(201);
  expect(again.body.id).not.toBe(old);
});

it('works off more than a batch, and says and counts how many it removed', async () => {
  const id = await decided(RETENTION_DAYS + 1);
  await service.database.query(
    `insert into approvals select (jsonb_populate_record(a, jsonb_build_object('id', uuid_v7(a.created_at)))).*
     from approvals a, generate_series(1, 450) where a.id = $1`,
    [id],
  );
  const before = (await Scrape.of(service.app.url)).value('approval_retention_removed_total');
  await run();
  expect((await Scrape.of(service.app.url)).value('approval_retention_removed_total') - before).toBe(451);
  const told = service.app.events.filter(({ event }) => event === 'retention.removed');
  expect(told.at(-1)).toMatchObject({ level: 'info', approvals: 451, olderThanDays: RETENTION_DAYS });
  expect(
    await service.database.query(`select 1 from approvals where settled_at < now() - interval '30 days'`),
  ).toEqual([]);
});

it('removes old rows of the audit log as far as an exported checkpoint covers them, and the rest verifies', async () => {
  const old = await decided(RETENTION_DAYS - 1);
  const unsealed = () =>
    service.database.query(`select 1 from audit_log where seq not in (select seq from audit_seals)`);
  await until('everything is sealed', async () => (await unsealed()).length === 0);
  await service.database.query(`update audit_log set at = now() - interval '31 days'`);
  await run();
  expect(await left('audit_log', old)).toBe(2);
  await service.app.get(AuditCheckpoints).export();
  const { body: young } = await service.api.enqueue();
  await run();
  expect(await left('audit_log', old)).toBe(0);
  expect(await left('audit_log', young.id)).toBe(1);
  await until('everything is sealed', async () => (await unsealed()).length === 0);
  expect((await service.api.call('operator', 'GET', '/api/audit/verify')).body).toMatchObject({
    ok: true,
    rows: 1,
  });
});

it('removes dead letters about a chat after the same time', async () => {
  await service.database.query(
    `insert into outbox (kind, chat_id, urgency, created_at, available_at, data, dead_at)
     select 'notice', -1001, -1, at, at, '{}', at from (values (now() - interval '31 days'), (now())) as t (at)`,
  );
  await run();
  expect(await service.database.query(`select 1 from outbox where kind = 'notice'`)).toHaveLength(1);
});

it('leaves it to the replica that holds the lease, and goes on after that has died', async () => {
  const id = await decided(RETENTION_DAYS + 1);
  await service.database.query(
    `insert into leases (name, holder, expires_at) values ('retention', 'another', now() + interval '1 minute')
     on conflict (name) do update set holder = 'another', expires_at = now() + interval '1 minute'`,
  );
  await run();
  expect(await left('approvals', id)).toBe(1);
  await service.database.query(`update leases set expires_at = now() where name = 'retention'`);
  await run();
  expect(await left('approvals', id)).toBe(0);
});

it('says once that it fails, and that it lags, and removes everything once it can', async () => {
  const id = await decided(RETENTION_DAYS + 1);
  await service.database.query('alter table cards rename to cards_away');
  const job = service.app.get(RetentionJob);
  await run();
  await run();
  const failures = service.app.events.filter(({ event }) => event === 'retention.failed');
  expect(failures).toHaveLength(1);
  const lagged = job.lagSeconds;
  await service.database.query('alter table cards_away rename to cards');
  await run();
  expect(await left('approvals', id)).toBe(0);
  expect(job.lagSeconds).toBeLessThan(lagged);
});
