import { Client } from 'pg';

/**
 * The clock of every statement of a database that opens its connection later: `now()` and `clock_timestamp()` are found in `public`
 * before `pg_catalog`. It goes on from the time that it was set to.
 */
export class DatabaseClock {
  private constructor(private readonly url: string) {}

  /** @param url of the owner of the database */
  static async of(url: string, at: string): Promise<DatabaseClock> {
    const clock = new DatabaseClock(url);
    await clock.run(`
      create table public.fake_clock (shift interval not null);
      insert into public.fake_clock values ('0');
      create function public.now() returns timestamptz language sql stable
        as 'select pg_catalog.now() + shift from public.fake_clock';
      create function public.clock_timestamp() returns timestamptz language sql volatile
        as 'select pg_catalog.clock_timestamp() + shift from public.fake_clock';
      do $$ begin
        execute format('alter database %I set search_path = public, pg_catalog', current_database());
      end $$`);
    await clock.set(at);
    return clock;
  }

  /** @param at instant in ISO 8601 */
  set(at: string): Promise<void> {
    return this.run(`update public.fake_clock set shift = '${at}'::timestamptz - pg_catalog.now()`);
  }

  private async run(sql: string): Promise<void> {
    const client = new Client({ connectionString: this.url });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  }
}
