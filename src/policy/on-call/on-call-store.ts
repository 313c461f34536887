import { Injectable } from '@nestjs/common';
import { Database, PERSON_WAITS_MS, type Statement } from '../../database/database';
import { auditName, type Person } from '../../kernel/actor';
import type { RotaOverride } from './duties';

const NOW = `date_trunc('milliseconds', now())`;

/** The longest override. */
const LONGEST = `interval '7 days'`;

const READ: Statement = {
  name: 'rota-read',
  withinMs: PERSON_WAITS_MS,
  text: `
  select ${NOW} as now, rota, person, until, actor as by, at
  from (select 1) as always left join rota_overrides on until > now()`,
};

/**
 * Parameters: rota, person, end, actor, version. Stores nothing if another version is active, which may not have the rota, if the
 * version does not name the person, or if the end is past or too late.
 */
const OVERRIDE: Statement = {
  name: 'rota-override',
  withinMs: PERSON_WAITS_MS,
  text: `
  with stored as (
    insert into rota_overrides (rota, person, until, actor, at)
    select $1, people.name, $3, $4, ${NOW} from policy_state join people on people.version = active_version
    where active_version = $5 and people.name = $2 and $3 > now() and $3 <= now() + ${LONGEST}
    on conflict (rota) do update
      set person = excluded.person, until = excluded.until, actor = excluded.actor, at = excluded.at
    returning *
  )
  insert into audit_log (at, type, actor, data)
  select at, 'rota.overridden', actor, json_build_object('rota', rota, 'person', person, 'until', until)::text from stored
  returning at`,
};

/** Parameters: rota, actor. Ends an override that lasts. */
const END: Statement = {
  name: 'rota-end-override',
  withinMs: PERSON_WAITS_MS,
  text: `
  with ended as (
    delete from rota_overrides where rota = $1 and until > now() returning rota, person
  )
  insert into audit_log (at, type, actor, data)
  select ${NOW}, 'rota.override-ended', $2, json_build_object('rota', rota, 'person', person)::text from ended`,
};

interface Row {
  readonly now: Date;
  readonly rota: string | null;
  readonly person: string;
  readonly until: Date;
  readonly by: string;
  readonly at: Date;
}

/** The overrides of rotas. */
@Injectable()
export class OnCallStore {
  constructor(private readonly database: Database) {}

  /** @returns the database's time, and the overrides that last, by rota */
  async read(): Promise<{ readonly now: Date; readonly overrides: ReadonlyMap<string, RotaOverride> }> {
    const rows = await this.database.query<Row>(READ, []);
    const [first] = rows;
    if (!first) throw new Error('reading the time returned no row');
    const overrides = rows.flatMap(({ rota, person, until, by, at }): [string, RotaOverride][] =>
      rota === null ? [] : [[rota, { person, until, by, at }]],
    );
    return { now: first.now, overrides: new Map(overrides) };
  }

  /** Ends the override of the rota, if there is one. */
  async end(rota: string, by: Person): Promise<void> {
    await this.database.query(END, [rota, auditName(by)]);
  }

  /** @returns false if nothing was stored: the policy has changed, or the end is not within a week from now */
  async override(
    rota: string,
    { person, until, by, version }: { person: string; until: Date; by: Person; version: string | null },
  ): Promise<boolean> {
    const values = [rota, person, until, auditName(by), version];
    return (await this.database.query(OVERRIDE, values)).length > 0;
  }
}
