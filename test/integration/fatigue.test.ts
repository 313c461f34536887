import { FatigueStore } from '../../src/approvals/fatigue/fatigue-store';
import { parseConfig } from '../../src/config/environment';
import { createDataSource } from '../../src/database/data-source';
import { Database } from '../../src/database/database';
import { Lanes } from '../../src/outbox/lanes';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { CHAT_ID } from '../support/well-known';

const EVERYBODY = `telegram:${CHAT_ID}`;
const VERSION = 'sha256:test';

class OneLane extends Lanes {
  readonly current = [EVERYBODY];
}

let database: TestDatabase;
let replicas: readonly { store: FatigueStore; close: () => Promise<void> }[];
beforeAll(async () => {
  database = await createTestDatabase();
  replicas = await Promise.all(
    [1, 2, 3].map(async () => {
      const source = createDataSource(database.url, 3);
      await source.initialize();
      const store = new FatigueStore(new Database(source), new OneLane(), parseConfig({}));
      return { store, close: () => source.destroy() };
    }),
  );
});
afterAll(async () => {
  await Promise.all(replicas.map(({ close }) => close()));
  await database.drop();
});
beforeEach(async () => {
  for (const table of [
    'decisions',
    'approvals',
    'outbox',
    'fatigue_warnings',
    'direct_lanes',
    'insight_hours',
  ])
    await database.query(`delete from ${table}`);
  await database.query('update policy_state set active_version = null');
  await database.query('update fatigue_state set looked_at = null, week_until = null');
});

/** Requests that the person decided at about a time, an SQL expression, each so many seconds after it was made. */
const decided = (person: string, times: number, seconds: number, at = `now() - interval '1 minute'`) =>
  database.query(
    `with asked as (
       insert into approvals (id, key_id, agent_id, session_id, request, input_digest, correlation_id, created_at, expires_at,
         status, settled_at, settled_by_kind, settled_by_id, settled_by_name)
       select uuid_v7(ended_at - took), 'laptop', 'a', 's', '{}', 'd', 'c', ended_at - took, ended_at + took,
         'approved', ended_at, 'telegram', '1', $1
       from generate_series(1, $2::int) as place,
         lateral (select ${at} + place * interval '1 ms' as ended_at, make_interval(secs => $3) as took) as times
       returning id, settled_at)
     insert into decisions (approval_id, by_kind, by_id, by_name, verdict, decided_at)
     select id, 'telegram', '1', $1, 'approved', settled_at from asked`,
    [person, times, seconds],
  );

const notices = async () =>
  (
    await database.query<{ lane: string; data: string }>(
      `select lane, data from outbox where kind = 'notice' order by lane, data::jsonb ->> 'person'`,
    )
  ).map(({ lane, data }) => ({ lane, ...(JSON.parse(data) as Record<string, unknown>) }));

const nobody = () => [];

/** Every replica at the same moment. */
const warn = async () =>
  (await Promise.all(replicas.map(({ store }) => store.warn(nobody)))).flatMap((all) => all ?? []);
const report = () => Promise.all(replicas.map(({ store }) => store.report(nobody)));

const lookAgain = () => database.query('update fatigue_state set looked_at = null');

it('warns once over all replicas about each who decides faster or more than anybody reads', async () => {
  await decided('olivia', 20, 1);
  await decided('paul', 61, 30);
  await decided('careful', 20, 2);
  await decided('few', 19, 0.5);
  expect(await warn()).toEqual([
    { person: 'olivia', cause: 'fast' },
    { person: 'paul', cause: 'many' },
  ]);
  expect(await notices()).toMatchObject([
    { lane: EVERYBODY, event: 'fatigue', person: 'olivia', cause: 'fast', decisions: 20, medianSeconds: 1 },
    { lane: EVERYBODY, event: 'fatigue', person: 'paul', cause: 'many', decisions: 61 },
  ]);
});

it('counts a turn that was approved with one tap once', async () => {
  await decided('olivia', 100, 1);
  await database.query(
    `update decisions set decided_at = date_trunc('minute', now()) - extract(milliseconds from decided_at)::int % 3 * interval '1 minute'`,
  );
  expect(await warn()).toEqual([]);
});

it('judges the last twenty decisions of the hour, and warns again only after a day', async () => {
  await decided('olivia', 30, 60, `now() - interval '30 minutes'`);
  await decided('olivia', 20, 1);
  await decided('old', 100, 1, `now() - interval '61 minutes'`);
  expect(await warn()).toEqual([{ person: 'olivia', cause: 'fast' }]);
  expect(await warn()).toEqual([]);
  await lookAgain();
  expect(await warn()).toEqual([]);
  await database.query(`update fatigue_warnings set warned_at = now() - interval '25 hours'`);
  await lookAgain();
  expect(await warn()).toEqual([{ person: 'olivia', cause: 'fast' }]);
});

it('counts a tap from the time when its card appeared', async () => {
  await decided('olivia', 20, 60);
  await database.query(
    `insert into cards (approval_id, chat_id, nonce, created_at, message_id, sent_at)
     select id, 1, id::text, created_at, 1, settled_at - interval '1 second' from approvals`,
  );
  expect(await warn()).toEqual([{ person: 'olivia', cause: 'fast' }]);
});

it('writes to the leads who have started the bot, after their quiet hours, and to everybody if there are none', async () => {
  await database.query(
    `insert into policy_versions (version, document, source, created_at) values ($1, '{}', '', now())
     on conflict do nothing`,
    [VERSION],
  );
  await database.query(
    `insert into people (version, name, telegram, groups)
     values ($1, 'lena', 7, '{leads}'), ($1, 'maria', 8, '{leads}'), ($1, 'sam', 9, '{sre}') on conflict do nothing`,
    [VERSION],
  );
  await database.query('update policy_state set active_version = $1', [VERSION]);
  await database.query(
    `insert into direct_lanes (kind, id, lane, started_at)
     select 'telegram', id, 'telegram:' || id, now() from unnest(array['7', '8', '9']) as id`,
  );
  await decided('olivia', 20, 1);
  await replicas[0]?.store.warn(() => ['maria']);
  expect(await notices()).toMatchObject([{ lane: 'telegram:7', person: 'olivia' }]);
  await database.query('delete from fatigue_warnings');
  await lookAgain();
  expect(await replicas[0]?.store.warn(() => ['lena', 'maria'])).toBeNull();
  expect((await notices()).map(({ lane }) => lane)).toEqual(['telegram:7']);
  await replicas[0]?.store.warn(() => ['maria']);
  expect((await notices()).map(({ lane }) => lane)).toEqual(['telegram:7', 'telegram:7']);
  await database.query(`delete from direct_lanes where id in ('7', '8')`);
  await database.query('delete from fatigue_warnings');
  await lookAgain();
  await replicas[0]?.store.warn(() => []);
  expect((await notices()).map(({ lane }) => lane)).toContain(EVERYBODY);
});

it('waits for the last replica that cannot render its messages', async () => {
  await decided('olivia', 20, 1);
  await database.query(
    `insert into replicas (id, version, policy_level, policy_version, started_at, seen_at)
     values (gen_random_uuid(), 'older', 5, '', now(), now())`,
  );
  expect(await replicas[0]?.store.warn(() => [])).toBeNull();
  await database.query('delete from replicas');
  expect(await replicas[0]?.store.warn(() => [])).toEqual([{ person: 'olivia', cause: 'fast' }]);
});

it('reports a week once over all replicas, and nothing for a week without decisions', async () => {
  const monday = `date_bin('7 days', now() - interval '10 minutes', timestamptz '2026-01-05 09:00+00')`;
  await decided('olivia', 3, 10, `${monday} - interval '1 day'`);
  await decided('sam', 1, 30, `${monday} - interval '6 days'`);
  await decided('sam', 5, 1, `${monday} - interval '8 days'`);
  await database.query(
    `insert into insight_hours (dimension, hour, name, status, answered, bucket, count)
     select dimension, ${monday} - make_interval(hours => age), '', status, 'nobody', -1, 3
     from unnest(array['all', 'tool']) as dimension, unnest(array['expired', 'cancelled']) as status,
       unnest(array[0, 1, 168, 169]) as age`,
  );
  const reports = (await report()).filter((each) => each !== null);
  expect(reports).toEqual([
    {
      decisions: 4,
      medianSeconds: 10,
      people: [
        { person: 'olivia', decisions: 3, medianSeconds: 10 },
        { person: 'sam', decisions: 1, medianSeconds: 30 },
      ],
      unanswered: 6,
    },
  ]);
  expect(await notices()).toMatchObject([{ lane: EVERYBODY, event: 'week' }]);
  expect(await report()).toEqual([null, null, null]);
  await database.query('delete from decisions');
  await database.query('delete from insight_hours');
  await database.query(`update fatigue_state set week_until = week_until - interval '7 days'`);
  expect(await report()).toEqual([null, null, null]);
});
