import { createDataSource } from '../../src/database/data-source';
import { Database } from '../../src/database/database';
import { migrate } from '../../src/database/migrations';
import { PolicyVersionEntity } from '../../src/policy/policy.entities';
import { Lanes } from '../../src/outbox/lanes';
import { PolicyStore, type Change } from '../../src/policy/policy-store';
import type { Person } from '../../src/kernel/actor';
import type { PolicyChange } from '../../src/kernel/announcement';
import { createTestDatabase, type TestDatabase } from '../support/database';

let database: TestDatabase;
let source: ReturnType<typeof createDataSource>;
let store: PolicyStore;

beforeEach(async () => {
  database = await createTestDatabase({ migrated: false });
  await migrate(database.url, database.serviceUrl);
  source = createDataSource(database.serviceUrl, 5, { entities: [PolicyVersionEntity] });
  await source.initialize();
  store = new PolicyStore(new Database(source), new TwoLanes());
});
afterEach(async () => {
  await source.destroy();
  await database.drop();
});

class TwoLanes extends Lanes {
  readonly current = ['telegram:-100', 'telegram:-100/7'];
}

const MARIA: Person = { kind: 'person', channel: 'api', id: 'maria', name: 'maria' };
const OLIVIA: Person = { kind: 'person', channel: 'telegram', id: '1', name: 'Olivia' };
const NONE = { allow: 0, deny: 0, ask: 0 };
const CHANGE: PolicyChange = {
  added: { ...NONE, allow: 2 },
  removed: NONE,
  changed: 0,
  others: 0,
  widens: true,
};

const change = (version: string, replaces: string | null, more: Partial<Change> = {}): Change => ({
  replaces,
  version,
  document: `{"name":"${version}"}`,
  source: `name: ${version} # a comment`,
  cause: 'apply',
  by: MARIA,
  level: 1,
  change: CHANGE,
  comment: null,
  proposedBy: null,
  overrides: false,
  ...more,
});

const auditTypes = async () =>
  (
    await database.query<{ type: string; actor: string }>('select type, actor from audit_log order by seq')
  ).map(({ type, actor }) => `${type} ${actor}`);

it('makes a version active, keeps its text, and records who did it', async () => {
  expect(await store.state()).toEqual({ version: null, stopped: null });
  const applied = await store.apply(change('a', null));
  expect(applied.kind === 'applied' && applied.at).toBeInstanceOf(Date);
  expect((await store.state()).version).toBe('a');
  expect(await store.find('a')).toMatchObject({ document: '{"name":"a"}', source: 'name: a # a comment' });
  await store.apply(change('b', 'a'));
  await store.apply(change('a', 'b', { cause: 'rollback' }));
  expect((await store.history(10)).map(({ version, cause, by }) => [version, cause, by])).toEqual([
    ['a', 'rollback', 'api:maria'],
    ['b', 'apply', 'api:maria'],
    ['a', 'apply', 'api:maria'],
  ]);
  expect(await auditTypes()).toEqual(Array.from({ length: 3 }, () => 'policy.applied api:maria'));
});

it('refuses a change of a version that is no longer active, and writes nothing', async () => {
  await store.apply(change('a', null));
  for (const replaces of [null, 'b'])
    expect(await store.apply(change('c', replaces))).toEqual({ kind: 'stale' });
  expect((await store.state()).version).toBe('a');
  expect(await store.find('c')).toBeNull();
  expect(await auditTypes()).toHaveLength(1);
});

it('lets exactly one of many concurrent changes win', async () => {
  const results = await Promise.all(Array.from({ length: 20 }, (_, n) => store.apply(change(`v${n}`, null))));
  expect(results.filter(({ kind }) => kind === 'applied')).toHaveLength(1);
  expect(results.filter(({ kind }) => kind === 'stale')).toHaveLength(19);
  expect(await store.history(100)).toHaveLength(1);
});

it.each([
  ['of a build before policies', 'null', 1],
  ['that knows less of the language', '1', 2],
])(
  'refuses a change while a live replica %s runs, and not for one that is gone',
  async (_what, known, level) => {
    const replicas = (seen: string) =>
      database.query(
        `insert into replicas (id, version, policy_level, started_at, seen_at) values ('old', '0.1.0', ${known}, now(), ${seen})
       on conflict (id) do update set seen_at = excluded.seen_at`,
      );
    await replicas('now()');
    expect(await store.apply(change('a', null, { level }))).toEqual({
      kind: 'unsupported',
      replica: 'old',
      build: '0.1.0',
    });
    await replicas(`now() - interval '11 seconds'`);
    expect(await store.apply(change('a', null, { level }))).toMatchObject({ kind: 'applied' });
  },
);

it('stops and resumes once each, with an audit row', async () => {
  expect(await store.stop(OLIVIA)).toBe(true);
  expect(await store.stop({ ...OLIVIA, id: '2' })).toBe(false);
  expect((await store.state()).stopped).toMatchObject({ by: 'telegram:1' });
  expect(await store.resume(MARIA)).toBe(true);
  expect(await store.resume(MARIA)).toBe(false);
  expect((await store.state()).stopped).toBeNull();
  expect(await auditTypes()).toEqual(['policy.stopped telegram:1', 'policy.resumed api:maria']);
});

it('never lets the service change a version', async () => {
  await store.apply(change('a', null));
  const service = createDataSource(database.serviceUrl, 1);
  await service.initialize();
  await expect(service.query(`update policy_versions set source = ''`)).rejects.toThrow('permission denied');
  await service.destroy();
});

describe('every change', () => {
  const announced = async () =>
    (
      await database.query<{ lane: string; approval_id: string | null; news: { event: string } }>(
        `select lane, approval_id, data::json as news from outbox where kind = 'notice' order by id`,
      )
    ).map(({ lane, approval_id, news }) => [lane, approval_id, news]);

  it('is announced once in each lane, with the change', async () => {
    await store.apply(change('a', null));
    const news = {
      event: 'policy-applied',
      by: MARIA,
      cause: 'apply',
      version: 'a',
      replaces: null,
      change: CHANGE,
      comment: null,
      proposedBy: null,
      overrides: false,
      atMs: expect.any(Number) as number,
    };
    expect(await announced()).toEqual([
      ['telegram:-100', null, news],
      ['telegram:-100/7', null, news],
    ]);
  });

  it('that is refused, or changes nothing, is not announced', async () => {
    await store.apply(change('a', 'stale'));
    await store.resume(MARIA);
    expect(await announced()).toEqual([]);
    await Promise.all([store.stop(OLIVIA), store.stop(OLIVIA)]);
    expect((await announced()).map(([, , news]) => (news as { event: string }).event)).toEqual([
      'policy-stopped',
      'policy-stopped',
    ]);
  });
});
