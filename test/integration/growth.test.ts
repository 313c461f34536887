import { COUNT_UNSEALED, PAGE, SEALED, UNSEALED } from '../../src/audit/audit-store';
import type { Statement } from '../../src/database/database';
import { COUNT } from '../../src/operations/metrics/backlog-store';
import { createTestDatabase, type TestDatabase } from '../support/database';

const FEW = 15_000;
const MANY = 60_000;
const PAGE_SIZE = 500;
/** Rows compared at once. */
const PART = 5000;
/** An empty queue costs none or a few, depending on whether the plan looks at its index. */
const SLACK_BLOCKS = 3;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** So many rows of the audit log, all of them sealed, and what PostgreSQL knows about them. */
async function growTo(count: number): Promise<void> {
  await database.query(
    `with written as (
       insert into audit_log (at, type, actor, data) select now(), 'test', 'test', '{}'
       from generate_series((select count(*) from audit_log) + 1, $1) returning seq
     ) insert into audit_seals (number, seq, previous, hash) select seq, seq, 'before', 'hash' || seq from written`,
    [count],
  );
  await database.query('truncate audit_unsealed');
  await database.query('analyze audit_log, audit_seals');
}

/** As a connection does that has run it often: with a plan that serves whatever the parameters are. */
async function blocksRead({ text }: Statement, values: readonly (number | string)[]): Promise<number> {
  const parameters = values.length > 0 ? `(${values.join(', ')})` : '';
  await database.query('set plan_cache_mode = force_generic_plan');
  await database.query(`prepare asked as ${text}`);
  try {
    const [row] = await database.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
      `explain (analyze, buffers, format json) execute asked ${parameters}`,
    );
    const plan = row?.['QUERY PLAN'][0].Plan;
    return (plan?.['Shared Hit Blocks'] ?? NaN) + (plan?.['Shared Read Blocks'] ?? NaN);
  } finally {
    await database.query('deallocate asked');
  }
}

// Where the sealer and a reader stand: at the end, and at the beginning.
const ASKED: [string, Statement, (count: number) => (number | string)[]][] = [
  ['the sealer', UNSEALED, () => [PAGE_SIZE]],
  ['a count of what was left out', COUNT_UNSEALED, (count) => [count - PART, count]],
  ['a page of the verification', SEALED, () => [0, PAGE_SIZE]],
  ['a page of the log', PAGE, () => [0, PAGE_SIZE]],
  ['a scrape of the metrics', COUNT, () => []],
];

it('what is asked of the audit log again and again reads no more when four times as much is sealed', async () => {
  const blocks = async (count: number) => {
    await growTo(count);
    const read: Record<string, number> = {};
    for (const [name, statement, values] of ASKED) read[name] = await blocksRead(statement, values(count));
    return read;
  };
  const few = await blocks(FEW);
  const many = await blocks(MANY);
  const grown = ASKED.map(([name]) => ({ name, few: few[name] ?? NaN, many: many[name] ?? NaN })).filter(
    (each) => !(each.many <= 1.5 * each.few + SLACK_BLOCKS),
  );
  expect(grown).toEqual([]);
});
