import type { Config } from '../config/environment';

/** The name of a person as passkeys and the policy have it. */
export const personOf = (name: string): string => name.trim().toLowerCase();

/** Names of `TELEGRAM_OPERATORS`. */
export const operatorNames = ({ telegram }: Config): readonly string[] =>
  (telegram?.operators ?? []).map(({ name }) => personOf(name));

/**
 * True if the installation knows a person: the active policy names them or, where it names nobody, `TELEGRAM_OPERATORS` or an
 * operator key that is not revoked does.
 *
 * @param name expression of the name, in lower case
 * @param operators parameter with the names of `TELEGRAM_OPERATORS`, in lower case
 */
export const KNOWN_PERSON = (name: string, operators: string): string => `(case
    when exists (select from policy_state active join people named on named.version = active.active_version)
    then exists (select from policy_state active join people named on named.version = active.active_version
      where named.name = ${name})
    else ${name} = any(${operators}::text[]) or exists (select from api_keys owned
      where owned.role = 'operator' and owned.revoked_at is null and lower(btrim(owned.owner)) = ${name}) end)`;
