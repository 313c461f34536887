import { randomUUID } from 'node:crypto';
import type { ApprovalJson, Api } from './api';
import type { TestDatabase } from './database';
import { buttonsOf, type ChatMessage, type SandboxClient } from './sandbox-client';
import { until } from './until';

/** Intervals of seconds or minutes in fractions of a second, and limits out of the way of the test. */
export const HASTE = {
  TELEGRAM_RETRY_INITIAL_DELAY_MS: '20',
  TELEGRAM_RETRY_MAX_DELAY_MS: '200',
  CIRCUIT_BREAKER_BREAK_SECONDS: '1',
  ESCALATION_LEASE_SECONDS: '2',
  APPROVAL_WARNING_MINUTES: '0',
  RATE_LIMIT_AGENT_MIB_PER_HOUR: '1000000',
  APPROVAL_MAX_PENDING_MIB_PER_AGENT: '1000000',
  APPROVAL_MAX_PENDING_PER_AGENT: '100000',
  HTTP_MAX_WAITING_PER_KEY: '1000000',
  RATE_LIMIT_AGENT_PER_MINUTE: '1000000',
  RATE_LIMIT_OPERATOR_PER_MINUTE: '1000000',
} as const;

/** More faults than a test can use up. */
export const ALWAYS = 1_000_000;

/** Asks `count` times, one after the other. @returns the ids in the order of the asking. */
export async function ask(api: Api, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) ids.push((await asked(api)).id);
  return ids;
}

/** Asks in a session of its own, so that no two requests are a turn. */
export async function asked(api: Api, more: Record<string, unknown> = {}): Promise<ApprovalJson> {
  const { status, body } = await api.enqueue({ sessionId: randomUUID(), ...more });
  if (status !== 201) throw new Error(`asking was answered with ${status}`);
  return body;
}

/** All endings of each request from the audit log, so that a second one shows. */
export async function endingsOf(
  database: TestDatabase,
  ids: readonly string[],
): Promise<readonly (readonly string[])[]> {
  const rows = await database.query<{ id: string; type: string }>(
    `select approval_id as id, type from audit_log
     where approval_id = any($1) and type <> 'approval.enqueued' and type not like '%-refused' order by seq`,
    [ids],
  );
  return ids.map((id) => rows.filter((row) => row.id === id).map(({ type }) => type));
}

/** Waits until this many messages show the request, all of them with its outcome and without a button. */
export function closedCards(
  chat: SandboxClient,
  id: string,
  copies: number,
  withinMs?: number,
): Promise<ChatMessage[]> {
  return until(
    `${copies} card(s) with the outcome`,
    async () => {
      const cards = await chat.cardsOf(id);
      return cards.length === copies && cards.every((card) => buttonsOf(card).length === 0) && cards;
    },
    withinMs,
  );
}

/** Waits until no Telegram work is left but what waits for its hour or is dead. */
export function outboxDrained(database: TestDatabase, withinMs?: number): Promise<unknown> {
  return until(
    'the outbox is worked off',
    async () => {
      const rows = await database.query(
        `select 1 from outbox where dead_at is null and (kind <> 'warning' or available_at <= now()) limit 1`,
      );
      return rows.length === 0;
    },
    withinMs,
  );
}

export const deadLetters = (database: TestDatabase): Promise<{ kind: string; last_error: string }[]> =>
  database.query('select kind, last_error from outbox where dead_at is not null');
