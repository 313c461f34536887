import { SECRETS } from './fleet.mjs';

/** As the outcome's first line says it. */
const HEADINGS = { approved: 'Approved', rejected: 'Rejected', expired: 'Expired', cancelled: 'Cancelled' };

/** Everything that must hold and does not, with what was counted on the way. */
export async function violationsOf(fleet, agents) {
  const violations = [];
  const approvals = await fleet.query('select id, status, settled_at from approvals');
  const audits = await fleet.query(
    `select approval_id as id, array_agg(type order by seq) as types from audit_log
     where approval_id is not null and type like 'approval.%' group by 1`,
  );
  const cards = await fleet.query('select approval_id as id, message_id, closed_at from cards');
  const dead = await fleet.query(
    'select kind, approval_id as id, last_error from outbox where dead_at is not null',
  );
  const messages = await fleet.messages();

  settledOnce(violations, approvals, new Map(audits.map(({ id, types }) => [id, types])), agents);
  const copies = everyMessageTrue(violations, approvals, cards, messages, agents);
  noSecrets(violations, fleet.logLines);
  for (const end of fleet.unexpectedEnds) violations.push(`a process ended by itself: ${end}`);
  for (const { kind, id, last_error: error } of dead)
    if (kind !== 'card') violations.push(`${kind} of ${id} is a dead letter: ${error}`);

  const counts = {
    requests: approvals.length,
    ...Object.fromEntries(
      Object.keys(HEADINGS).map((status) => [
        status,
        approvals.filter((each) => each.status === status).length,
      ]),
    ),
    messages: messages.length,
    secondCopies: copies,
    deadCards: dead.filter(({ kind }) => kind === 'card').length,
    logLines: fleet.logLines.length,
  };
  if (approvals.length === 0) violations.push('nothing was asked: the soak has shown nothing');
  return { violations, counts };
}

function settledOnce(violations, approvals, typesOf, agents) {
  const stored = new Set(approvals.map(({ id }) => id));
  for (const id of agents.told.keys()) if (!stored.has(id)) violations.push(`${id} was accepted and is gone`);
  for (const { id, status } of approvals) {
    if (!(status in HEADINGS)) violations.push(`${id} has not ended: ${status}`);
    const expected = ['approval.enqueued', `approval.${status}`];
    const types = (typesOf.get(id) ?? []).filter((type) =>
      /enqueued|approved|rejected|expired|cancelled/.test(type),
    );
    if (types.join() !== expected.join())
      violations.push(`${id} is ${status}, its audit says ${types.join(', ')}`);
    const told = agents.told.get(id);
    if (told && told.status !== status)
      violations.push(`${id} is ${status}, its agent was told ${told.status}`);
  }
}

/** @returns how many messages are second copies of a card. */
function everyMessageTrue(violations, approvals, cards, messages, agents) {
  const byMessage = new Map(
    cards.filter((card) => card.message_id !== null).map((card) => [Number(card.message_id), card]),
  );
  const statusOf = new Map(approvals.map(({ id, status }) => [id, status]));
  const seen = new Map();
  for (const message of messages) {
    if (message.replyTo !== null || message.document !== null) continue;
    const named = approvals.filter(({ id }) => message.text.includes(id.slice(-8)));
    if (named.length === 0) continue;
    if (named.length > 1) violations.push(`message ${message.messageId} names ${named.length} requests`);
    const [{ id }] = named;
    seen.set(id, (seen.get(id) ?? 0) + 1);
    const card = byMessage.get(message.messageId);
    if (!card) violations.push(`message ${message.messageId} of ${id} is known to no card`);
    else if (card.id !== id)
      violations.push(`message ${message.messageId} names ${id} and belongs to ${card.id}`);
    if (message.buttons.flat().length > 0)
      violations.push(`message ${message.messageId} of ${id} still has buttons`);
    const status = statusOf.get(id);
    if (!message.text.includes(HEADINGS[status]))
      violations.push(`message ${message.messageId} of ${id} does not say ${status}`);
    const { marker } = agents.told.get(id) ?? {};
    if (marker && !message.text.includes(marker))
      violations.push(`message ${message.messageId} of ${id} shows another action`);
  }
  for (const { id, message_id: messageId, closed_at: closedAt } of cards)
    if (messageId !== null && closedAt === null)
      violations.push(`the card ${messageId} of ${id} was never closed`);
  for (const [id, copies] of seen)
    if (copies > 2) violations.push(`${id} was shown ${copies} times: a send is repeated at most once`);
  return [...seen.values()].filter((copies) => copies > 1).length;
}

function noSecrets(violations, lines) {
  for (const [name, value] of Object.entries(SECRETS)) {
    const secret = name === 'TELEGRAM_BOT_TOKEN' ? value.split(':')[1] : value;
    const found = lines.filter((line) => line.includes(secret));
    if (found.length > 0)
      violations.push(
        `${name} stands in ${found.length} log line(s), as in: ${found[0].slice(0, 120).replaceAll(secret, '***')}`,
      );
  }
}
