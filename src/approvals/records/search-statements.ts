import { PERSON_WAITS_MS, type Statement } from '../../database/database';
import { MAY_SEE } from '../../people/eligible';
import { POLICY_JSON } from '../policy-column';
import { asWords, FACTS, SEARCHED, TOOL } from './record-statements';

/** Newest requests that a search compares one by one: enough for words that are in many of them. */
const COMPARED = 2_000;
/** Requests that the index may find. Putting more into their order would take too long. */
export const MAX_FOUND = 50_000;

const QUERY = `(case when $3::text is null then $4::tsquery when $4::text is null then to_tsquery('simple', $3)
      else to_tsquery('simple', $3) && $4::tsquery end)`;
const IS_MEANT = `(($3::text is null and $4::text is null) or words @@ ${QUERY})`;
const IN_TIME = `($1::uuid is null or id < $1) and ($5::uuid is null or id >= $5) and ($6::uuid is null or id < $6)`;

/** The facts of a request that has no words yet: it is pending, or ended within the last minute. */
const MATCHES = `($7::text is null or status = $7) and ($8::text is null or agent_id = $8)
      and ($9::text is null or session_id = $9) and ($10::text is null or ${TOOL} = $10)
      and ($11::text is null or (status in ('approved', 'rejected') and $11 in (settled_by_id, settled_by_name)))
      and ($12::text is null or exists (
        select from jsonb_array_elements_text(${POLICY_JSON} -> 'rules') as rule where rule = $12))
      and ($3::text is null or to_tsvector('simple', ${asWords(`substr(request, 1, ${SEARCHED})`)}) @@ to_tsquery('simple', $3))
      and ${MAY_SEE('$13', '$14')}`;

const IS_SEEN = (list: string): string => `($13::text is null or exists (
      select from approvals where approvals.id = ${list}.id and ${MAY_SEE('$13', '$14')}))`;

/**
 * Ids of requests that match, the newest first. Parameters: before id, limit, words as a text query, facts as a text query, lowest
 * id, highest id; then for requests without words yet: status, agent, session, tool, person, rule; then the reader, as `FIND` has them.
 *
 * A word that is in many requests is found among the newest ones, and any other by the index, so neither reads all requests.
 * `is_too_broad`: the index finds more than it may, so that the newest among them are not known.
 */
export const SEARCH: Statement = {
  name: 'approval-search',
  withinMs: PERSON_WAITS_MS,
  text: `
  with recent as materialized (
    select id from (
      select id, words from approval_words where ${IN_TIME} order by id desc limit ${COMPARED}) as newest
    where ${IS_MEANT} and ${IS_SEEN('newest')} order by id desc limit $2
  ), found as materialized (
    select id from approval_words
    where (select count(*) from recent) < $2 and ${IS_MEANT} and ${IN_TIME} limit ${MAX_FOUND} + 1
  ), fresh as (
    (select a.id from record_state, lateral (
      select id from approvals where id > after_id and ${IN_TIME} and ${MATCHES} order by id desc limit $2) as a)
    union all
    select id from record_waiting join approvals using (id) where ${IN_TIME} and ${MATCHES}
  ), ids as (
    select id from recent union (select id from found where ${IS_SEEN('found')} order by id desc limit $2) union select id from fresh
  )
  select id, (select count(*) > ${MAX_FOUND} from found) as is_too_broad from ids order by id desc limit $2`,
};

const quoted = (lexeme: string): string => `'${lexeme.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

/** The facts as a query; null without any. Texts are those of the columns. */
export function factsQuery(facts: Partial<Record<keyof typeof FACTS, string | null>>): string | null {
  const lexemes = Object.entries(FACTS).flatMap(([name, mark]) => {
    const value = facts[name as keyof typeof FACTS] ?? null;
    return value === null ? [] : [quoted(`${mark}${value}`)];
  });
  return lexemes.length === 0 ? null : lexemes.join(' & ');
}

/** Words from this length on also find what begins with them. */
const PREFIX_FROM = 3;

/** The words of a search as a query, all of which a request must have; null: there is no word. */
export function wordsQuery(text: string): string | null {
  const words = text.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
  if (words.length === 0) return null;
  return words.map((word) => `'${word}'${word.length >= PREFIX_FROM ? ':*' : ''}`).join(' & ');
}
