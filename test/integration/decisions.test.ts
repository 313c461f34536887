import { randomUUID } from 'node:crypto';
import { migrate, revertMigration } from '../../src/database/migrations';
import type { Person } from '../../src/kernel/actor';
import { attempt } from '../support/decider';
import { createDatabaseBefore, createTestDatabase, type TestDatabase } from '../support/database';
import { newApproval, openTestStore } from '../support/open-store';

const MIGRATION = 'AddDecisions1795464000020';
const OLIVIA: Person = { kind: 'person', channel: 'api', id: 'olivia', name: 'Olivia' };

let database: TestDatabase;
afterEach(() => database.drop());

const decisions = () =>
  database.query(
    `select approval_id as id, by_kind as kind, by_id as by, by_name as name, verdict, reason, display_digest as shown
     from decisions order by decided_at, approval_id`,
  );

it('a decision is a row, written with what it settles; a reason that comes later is added to it', async () => {
  database = await createTestDatabase();
  const open = await openTestStore(database.url);
  try {
    const ask = async () => (await open.store.enqueue(newApproval())).approval.id;
    const [approved, rejected, cancelled] = [await ask(), await ask(), await ask()];
    await attempt(open, { id: approved, verdict: 'approved', by: OLIVIA, reason: 'fine' });
    await attempt(open, { id: approved, verdict: 'rejected', by: { ...OLIVIA, id: 'otto' } });
    await attempt(open, { id: rejected, verdict: 'rejected', by: OLIVIA });
    await open.store.cancel(cancelled, OLIVIA, null, null);
    const [xmins] = await database.query<{ same: boolean }>(
      `select a.xmin = d.xmin as same from approvals a join decisions d on d.approval_id = a.id where a.id = $1`,
      [approved],
    );
    expect(xmins).toEqual({ same: true });
    const by = { kind: 'api', by: 'olivia', name: 'Olivia', shown: null };
    expect(await decisions()).toEqual([
      { id: approved, ...by, verdict: 'approved', reason: 'fine' },
      { id: rejected, ...by, verdict: 'rejected', reason: null },
    ]);
    await open.store.explain(rejected, OLIVIA, 'too "risky"');
    expect(await decisions()).toMatchObject([{}, { id: rejected, reason: 'too \\"risky\\"' }]);
  } finally {
    await open.close();
  }
});

describe('the migration', () => {
  /** Settles as a version without the table does. */
  async function settleBefore(id: string, status: string): Promise<void> {
    await database.query(
      `update approvals set status = $2, settled_at = now(), settled_by_kind = 'telegram', settled_by_id = '7',
         settled_by_name = 'Otto' where id = $1`,
      [id, status],
    );
  }

  async function askBefore(): Promise<string> {
    const id = randomUUID();
    await database.query(
      `insert into approvals (id, key_id, agent_id, session_id, request, input_digest, correlation_id, created_at, expires_at)
       values ($1, 'key', 'agent', 'session', '{}', 'sha256:0', 'test', now(), now() + interval '1 hour')`,
      [id],
    );
    return id;
  }

  beforeEach(async () => {
    database = await createDatabaseBefore(MIGRATION);
  });

  it('takes over the decisions there are, and those of replicas of the version before, and goes back', async () => {
    const [early, open, late] = [await askBefore(), await askBefore(), await askBefore()];
    await settleBefore(early, 'approved');
    await settleBefore(open, 'cancelled');
    await migrate(database.url);
    const otto = { kind: 'telegram', by: '7', name: 'Otto', shown: null };
    expect(await decisions()).toEqual([{ id: early, ...otto, verdict: 'approved', reason: null }]);

    await settleBefore(late, 'rejected');
    await database.query(`update approvals set reason = 'no' where id = $1`, [late]);
    expect(await decisions()).toMatchObject([{ id: early }, { id: late, verdict: 'rejected', reason: 'no' }]);

    for (let name: string | null = ''; name !== MIGRATION && name !== null;)
      name = await revertMigration(database.url);
    await database.query(`update approvals set reason = 'never' where id = $1`, [late]);
    const kept = await database.query(`select status, reason from approvals where id = $1`, [late]);
    expect(kept).toEqual([{ status: 'rejected', reason: 'never' }]);
    await migrate(database.url);
    expect(await decisions()).toMatchObject([{ id: early }, { id: late, reason: 'never' }]);
  });
});
