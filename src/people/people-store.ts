import { Injectable } from '@nestjs/common';
import { Database, PERSON_WAITS_MS, type Statement } from '../database/database';
import { IS_LANE_OF_PERSON } from './direct-lanes';

/** One person of the active version, and the ways in which they decide. */
export interface NamedPerson {
  readonly name: string;
  readonly groups: readonly string[];
  /** True if the policy names a Telegram id. */
  readonly hasTelegram: boolean;
  /** True if they have started the bot, so that direct messages reach them. */
  readonly hasStarted: boolean;
  /** The number of passkeys that are not removed. */
  readonly passkeys: number;
  /** True if the policy names an account at the OpenID provider. */
  readonly hasAccount: boolean;
}

const LIST: Statement = {
  name: 'people-list',
  withinMs: PERSON_WAITS_MS,
  text: `
  select name, groups, telegram is not null as "hasTelegram",
    exists (select from direct_lanes as direct where ${IS_LANE_OF_PERSON}) as "hasStarted",
    (select count(*)::int from passkeys where person = name and revoked_at is null) as passkeys,
    email is not null or subject is not null as "hasAccount"
  from policy_state join people on version = active_version order by name`,
};

/** The people of the active version of the policy. */
@Injectable()
export class PeopleStore {
  constructor(private readonly database: Database) {}

  /** By name; empty: the policy names nobody. */
  list(): Promise<NamedPerson[]> {
    return this.database.query<NamedPerson>(LIST, []);
  }
}
