import type { Statement } from '../database/database';
import { requeueOutcomes } from '../outbox/outbox-work';
import { CALL } from './records/record-statements';

/** JavaScript dates hold milliseconds. */
const NOW = `date_trunc('milliseconds', now())`;

/**
 * The request without what the agent wrote, except for names and the id of the call. Its members stay in RFC 8785 order. It is not read
 * as JSON, since PostgreSQL refuses U+0000.
 */
const BARE = `'{"agentId":"' || agent_id || '","cwd":null,"metadata":{},"sessionId":"' || session_id
      || '","summary":null,"toolInput":{}' || ${CALL}`;

const QUOTES_NOTHING = `'{"tokens": [], "doubt": null}'::jsonb`;

/** The verdict as JSON that PostgreSQL reads: without escapes that it refuses. A pair of backslashes is no escape. */
const VERDICT = String.raw`regexp_replace(policy, '(\\\\)|\\u(?:0000|d[89a-f][0-9a-f]{2})', '\1', 'g')::jsonb`;

/** The verdict of the policy without the words that it quotes of the request. */
const BARE_VERDICT = `(${VERDICT} || ${QUOTES_NOTHING} || jsonb_build_object('shadow',
      case when jsonb_typeof(${VERDICT} -> 'shadow') = 'object' then ${VERDICT} -> 'shadow' || ${QUOTES_NOTHING} end))::text`;

/**
 * Locks out the job that records requests, which would index the words of a request that it read before the erasure. The next
 * statement sees what that job had written.
 */
export const LOCK_RECORDS: Statement = {
  name: 'approval-lock-records',
  text: `select from record_state for update`,
};

/**
 * Erases the input of a settled request once, with its words in the index, and shows that on its cards. Digest, receipt and audit rows
 * stay. Parameters: id, actor kind, actor id, actor name, reason, lanes.
 */
export const ERASE: Statement = {
  name: 'approval-erase',
  text: `
  with erased as (
    update approvals set request = ${BARE}, answers = null, policy = ${BARE_VERDICT},
      erased = jsonb_build_object('kind', $2::text, 'id', $3::text, 'name', $4::text, 'reason', $5::text, 'at', ${NOW})
    where id = $1 and status <> 'pending' and erased is null
    returning id, correlation_id, input_digest
  ), unindexed as (
    update approval_words set words = array_to_tsvector(array(
      select lexeme from unnest(words) as word (lexeme) where starts_with(lexeme, '=')))
    from erased where approval_words.id = erased.id
  ), audited as (
    insert into audit_log (at, type, actor, approval_id, correlation_id, data)
    select ${NOW}, 'approval.input-erased', $2 || ':' || $3, id, correlation_id, json_build_object('name', $4::text,
      'reason', ('"' || $5 || '"')::json, 'inputDigest', input_digest)::text
    from erased
  ), shown as (${requeueOutcomes({ of: 'erased', lanes: '$6', urgency: 'outcome' })}
  )
  select id from erased`,
};
