/**
 * The lanes that the destinations of the active policy name. Where it has no destinations, these are the lanes of the
 * installation, in which the service then asks.
 *
 * @param own parameter with the lanes of the installation, a text array
 */
export const NAMED_LANES = (own: string): string => `
    select 'telegram:' || (destination ->> 'telegram') || coalesce('/' || (destination ->> 'topic'), '') as lane
    from policy_state join policy_versions on version = active_version
      cross join json_each(document::json -> 'destinations') as named (name, destination)
    where destination ->> 'telegram' is not null
    union
    select unnest(${own}::text[]) where not exists (
      select from policy_state join policy_versions on version = active_version
        cross join json_each(document::json -> 'destinations'))`;
