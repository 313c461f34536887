import { KEYS } from './stage.mjs';

const OPERATOR = { authorization: `Bearer ${KEYS.operator}`, 'content-type': 'application/json' };
const AGENT = { authorization: `Bearer ${KEYS.agent}`, 'content-type': 'application/json' };

async function post(url, headers, body) {
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

/** A request as agents make it, through the service: the pattern of which rows are copied. */
export const ask = ({ url }) =>
  post(`${url}/api/approvals`, AGENT, {
    agentId: 'claude-code',
    sessionId: 'session-1',
    toolName: 'Bash',
    toolInput: {
      command: 'kubectl --context production rollout restart deployment/payments',
      description: 'Restart the payment workers after the configuration change',
      timeout: 120_000,
    },
    cwd: '/srv/deployments/payments',
  });

export const approve = ({ url }, id) =>
  post(`${url}/api/approvals/${id}/decision`, OPERATOR, { decision: 'approved' });

/** Columns that a copy may set. */
async function columnsOf(database, table) {
  const rows = await database.query(
    `select column_name as name from information_schema.columns
     where table_schema = 'public' and table_name = $1 and is_identity = 'NO' and is_generated = 'NEVER'
     order by ordinal_position`,
    [table],
  );
  return rows.map(({ name }) => name);
}

/**
 * Copies the rows of one approval in a table, once for each of the new ids.
 *
 * @param of the copied approval. @param ids SQL that yields (id, at). @param changed column → SQL over `new.id`, `new.at`.
 */
export async function copyRows(database, table, { of, ids, changed, returning = '' }) {
  const columns = await columnsOf(database, table);
  const own = table === 'approvals' ? 'id' : 'approval_id';
  const values = columns.map((name) => changed[name] ?? `old.${name}`);
  return database.query(
    `insert into ${table} (${columns.join(', ')})
     select ${values.join(', ')} from ${table} as old, (${ids}) as new where old.${own} = '${of}' ${returning}`,
  );
}

/** Pending requests. @returns their ids. */
export async function addPending(database, service, count, expiresIn = '1 day') {
  const { id } = await ask(service);
  const rows = await copyRows(database, 'approvals', {
    of: id,
    ids: `select uuid_v7(now()) as id, now() as at from generate_series(1, ${count})`,
    changed: {
      id: 'new.id',
      created_at: 'new.at',
      expires_at: `new.at + interval '${expiresIn}'`,
      idempotency_key: 'null',
      body_digest: 'null',
    },
    returning: 'returning approvals.id',
  });
  await approve(service, id);
  return rows.map((row) => row.id);
}

/** Decided requests of the last 60 days with all that a decided request leaves behind. */
export async function addDecided(database, service, count) {
  const { id } = await ask(service);
  await approve(service, id);
  await database.query(`create table new_ids as
    select uuid_v7(at) as id, at from (
      select now() - interval '60 days' * (n::float8 / ${count}) as at from generate_series(1, ${count}) as n) as t`);
  const ids = 'select id, at from new_ids';
  const times = {
    created_at: 'new.at',
    expires_at: `new.at + interval '30 minutes'`,
    settled_at: `new.at + interval '1 minute'`,
  };
  await copyRows(database, 'approvals', {
    of: id,
    ids,
    changed: { ...times, id: 'new.id', idempotency_key: 'null', body_digest: 'null' },
  });
  await copyRows(database, 'audit_log', { of: id, ids, changed: { approval_id: 'new.id', at: 'new.at' } });
  // Without one, whoever reads it first would have it signed and stored.
  await copyRows(database, 'receipts', { of: id, ids, changed: { approval_id: 'new.id' } });
  await database.query(`insert into cards (approval_id, chat_id, nonce, message_id, created_at, sent_at, closed_at)
    select id, -1001, replace(id::text, '-', ''), row_number() over (), at, at, at from new_ids`);
  await database.query('drop table new_ids');
  await database.query('vacuum analyze');
}
