import { ADMINS } from '../kernel/admins';
import type { Reader } from '../kernel/viewer';

/**
 * Name of the person of the active policy who may decide a row of `approvals`; null: nobody. Somebody whose own key asked
 * is not eligible, nor is a revoked key, nor a person outside the groups that the row requires.
 */
export const ELIGIBLE_PERSON = (kind: string, id: string): string =>
  `eligible_person(approvals.owner, approvals.required, ${kind}, ${id})`;

/** Everybody whom the service lets in may decide, unless the active policy names people or the row requires some. */
export const MAY_DECIDE = (kind: string, id: string): string => `(${ELIGIBLE_PERSON(kind, id)} is not null
      or (approvals.required is null
        and not exists (select from policy_state s join people p on p.version = s.active_version)))`;

/** True if everybody whom the service lets in sees a row of `approvals`: nobody says which groups decide it. */
const IS_OPEN = `(coalesce(approvals.required -> 'from', '[]') = '[]'
      or not exists (select from policy_state s join people p on p.version = s.active_version))`;

/**
 * True if a row of `people` sees one of `approvals`: its groups decide it, its chain asks or notifies the person or a group of
 * theirs, or they are an admin.
 *
 * @param asAdmin expression: false for somebody who signed in in a way that makes no admin
 */
const SEES = (
  asAdmin: string,
): string => `(not exists (select from jsonb_array_elements(approvals.required -> 'from') as demanded
          where not demanded ?| people.groups)
        or coalesce(approvals.asked && (people.groups || people.name), false) or (${asAdmin} and '${ADMINS}' = any (people.groups)))`;

/**
 * True if a person sees a row of `approvals`.
 *
 * @param person parameter with their name, in lower case; null: whoever reads sees all
 */
export const MAY_SEE = (person: string, asAdmin: string): string => `(${person}::text is null or ${IS_OPEN}
      or exists (select from policy_state join people on people.version = policy_state.active_version
        where people.name = ${person} and ${SEES(`${asAdmin}::boolean`)}))`;

/** The parameters of {@link MAY_SEE}; null: whoever reads sees all. */
export const readerValues = (reader: Reader | null): readonly unknown[] => [
  reader?.person ?? null,
  reader?.mayBeAdmin ?? false,
];

/** The people who see a row of `approvals`, as JSON; null: everybody. */
export const READERS = `case when not ${IS_OPEN} then (
      select coalesce(json_agg(json_build_object('person', people.name, 'asAdmin', not ${SEES('false')})), '[]')
      from policy_state join people on people.version = policy_state.active_version
      where ${SEES('true')}) end`;

/**
 * Id of the passkey that made a stored signature; null: of none. Inside a JSON string each quote is escaped, so that only the
 * member itself matches. PostgreSQL would read no member where the reason has U+0000.
 */
export const SIGNER = (signed: string): string =>
  `substring(${signed} from '"credentialId":"([A-Za-z0-9_-]+)"')`;
