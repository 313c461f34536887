import type { TestDatabase } from './database';

const LOCK = 4711;

/** Holds each transaction that settles a request at its commit, after all of its statements, until the release. */
export async function holdCommits(database: TestDatabase): Promise<{
  /** The number of statements that wait for a lock. */
  waiting(): Promise<number>;
  release(): Promise<void>;
}> {
  await database.query(`
    create function hold_commit() returns trigger language plpgsql as $$
    begin perform pg_advisory_xact_lock_shared(${LOCK}); return null; end $$;
    create constraint trigger tr_hold_commit after update of status on approvals
      deferrable initially deferred for each row execute function hold_commit()`);
  await database.query(`select pg_advisory_lock(${LOCK})`);
  return {
    waiting: async () =>
      (
        await database.query(
          `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        )
      ).length,
    release: async () => {
      await database.query(`select pg_advisory_unlock(${LOCK})`);
      await database.query('drop trigger tr_hold_commit on approvals');
      await database.query('drop function hold_commit');
    },
  };
}
