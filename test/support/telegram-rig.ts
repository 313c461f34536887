import { startSandbox, type RunningSandbox } from '../../src/sandbox/sandbox-server';
import { SystemClock, type Clock } from '../../src/kernel/clock';
import { Api, type ApprovalJson } from './api';
import { startTestApp, type LogLine, type TestApp } from './app';
import { createTestDatabase, type TestDatabase } from './database';
import { buttonsOf, SandboxClient, type BotCall, type ChatMessage } from './sandbox-client';
import { until } from './until';
import { CHAT_ID, telegramEnvironment } from './well-known';

/** So high that only tests about limits meet them. */
const NO_LIMITS = { perSecond: 1e6, chatPerSecond: 1e6, chatBurst: 1e6, groupPerMinute: 1e6 };

/** Intervals of seconds in fractions of a second, without jitter, so that waits are predictable. */
export const HASTE: Readonly<Record<string, string>> = {
  TELEGRAM_BUDGET_PER_SECOND: '1000',
  TELEGRAM_BUDGET_CHAT_PER_SECOND: '1000',
  TELEGRAM_BUDGET_GROUP_PER_MINUTE: '10000',
  TELEGRAM_RETRY_INITIAL_DELAY_MS: '20',
  TELEGRAM_RETRY_MAX_DELAY_MS: '100',
  TELEGRAM_RETRY_JITTER: 'false',
  CIRCUIT_BREAKER_BREAK_SECONDS: '1',
  ESCALATION_LEASE_SECONDS: '2',
  APPROVAL_WARNING_MINUTES: '0',
};

/** As long as Telegram lets a tap be answered. */
const ANSWERABLE_MS = 15_000;

/** More faults than a test can use up. */
export const ALWAYS = 1_000_000;

interface BreakerJson {
  readonly state: string;
  readonly consecutiveFailures: number;
  readonly totalFailures: number;
  readonly totalSuccesses: number;
}

/** The whole service in this process between a real PostgreSQL and a Bot API that misbehaves on demand. */
export class TelegramRig {
  private constructor(
    readonly database: TestDatabase,
    readonly sandbox: RunningSandbox,
    readonly chat: SandboxClient,
    readonly environment: Readonly<Record<string, string>>,
    private current: TestApp,
    /** As the service sees it. */
    private readonly databaseUrl: string,
  ) {}

  static async start(
    more: Readonly<Record<string, string>> = {},
    {
      limits = NO_LIMITS,
      clock = new SystemClock(),
      through = (url: string) => Promise.resolve(url),
    }: { limits?: typeof NO_LIMITS; clock?: Clock; through?: (url: string) => Promise<string> } = {},
  ): Promise<TelegramRig> {
    const database = await createTestDatabase();
    const sandbox = await startSandbox({ port: 0, limits, clock });
    const environment = { ...telegramEnvironment(sandbox.url), ...HASTE, ...more };
    const databaseUrl = await through(database.url);
    const app = await startTestApp(databaseUrl, environment);
    return new TelegramRig(database, sandbox, new SandboxClient(sandbox.url), environment, app, databaseUrl);
  }

  get app(): TestApp {
    return this.current;
  }

  get api(): Api {
    return new Api(this.app.url);
  }

  /** Stops the service and starts it anew, on the same database. */
  async restart(more: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.app.close();
    this.current = await startTestApp(this.databaseUrl, { ...this.environment, ...more });
  }

  async close(): Promise<void> {
    await this.app.close();
    await this.sandbox.close();
    await this.database.drop();
  }

  /** No faults, no record of calls; requests of earlier tests have nothing more to say. */
  async wipe(): Promise<void> {
    await this.chat.clearFaults();
    await this.chat.change('limits', { callbackAnswerMs: ANSWERABLE_MS });
    await this.database.query(
      `update approvals set status = 'cancelled', settled_at = now(), settled_by_kind = 'system',
         settled_by_id = 'test', settled_by_name = 'test' where status = 'pending'`,
    );
    await this.database.query(`delete from outbox`);
    await until('no call of an earlier test is under way', async () => {
      const slots = await this.database.query(`select 1 from send_slots where at > clock_timestamp()`);
      return slots.length === 0;
    });
    await this.database.query(`delete from lanes`);
    await this.database.query(`delete from outbox_lanes`);
    await fetch(`${this.sandbox.url}/sandbox/calls`, { method: 'DELETE' });
    await this.api.call('operator', 'POST', '/api/diagnostics/circuit-breaker', { action: 'reset' });
  }

  events(name: string): LogLine[] {
    return this.app.events.filter(({ event }) => event === name);
  }

  async asked(more: Record<string, unknown> = {}): Promise<ApprovalJson> {
    const { status, body } = await this.api.enqueue(more);
    if (status !== 201) throw new Error(`asking was answered with ${status}: ${JSON.stringify(body)}`);
    return body;
  }

  /** Asked, and its card stands in the chat, known to the service. */
  async shown(more: Record<string, unknown> = {}): Promise<{ approval: ApprovalJson; card: ChatMessage }> {
    const approval = await this.asked(more);
    const card = await this.chat.card(approval.id);
    await this.worked(approval);
    return { approval, card };
  }

  async statusOf({ id }: Pick<ApprovalJson, 'id'>): Promise<string> {
    return (await this.api.get(id)).body.status;
  }

  /** Waits until the message shows an outcome: no button is left. */
  closed({ messageId }: Pick<ChatMessage, 'messageId'>, withinMs?: number): Promise<ChatMessage> {
    return this.chat.find(
      'the outcome on the card',
      (message) => message.messageId === messageId && buttonsOf(message).length === 0,
      withinMs,
    );
  }

  /** Waits until nothing that is due stands in the outbox for the request, or for anything. */
  async worked(approval?: Pick<ApprovalJson, 'id'>): Promise<void> {
    await until('the outbox is worked off', async () => {
      const rows = await this.database.query(
        `select 1 from outbox where dead_at is null and kind <> 'warning'
           and ($1::uuid is null or (approval_id = $1 and kind <> 'notice'))`,
        [approval?.id ?? null],
      );
      return rows.length === 0;
    });
  }

  /** Waits until work of the request is a dead letter; the pauses before its further attempts are cut short. */
  async dead(approval: Pick<ApprovalJson, 'id'>): Promise<void> {
    await until('its work is a dead letter', async () => {
      if ((await this.outboxOf(approval))[0]?.dead === true) return true;
      await this.endPauses();
      return false;
    });
  }

  /** Makes lanes and postponed work due. A lease is shorter: work that a worker holds stays as it is. */
  async endPauses(): Promise<void> {
    await this.database.query(`update lanes set available_at = now()`);
    await this.database.query(`update outbox_lanes set available_at = now()`);
    const lease = Number(this.environment.ESCALATION_LEASE_SECONDS ?? Infinity);
    await this.database.query(
      `update outbox set available_at = now()
       where dead_at is null and kind <> 'warning' and available_at > now() + make_interval(secs => $1)`,
      [lease + 1],
    );
  }

  /** The work for the request alone. */
  outboxOf({ id }: Pick<ApprovalJson, 'id'>): Promise<OutboxRow[]> {
    return this.database.query(
      `select kind, chat_id, attempts, dead_at is not null as dead, last_error from outbox
       where approval_id = $1 and kind <> 'notice'`,
      [id],
    );
  }

  /** Calls of the method that are about this chat, with or without success. */
  async calls(method: string, chat: number | string = CHAT_ID): Promise<BotCall[]> {
    return (await this.chat.calls(method)).filter(({ params }) => String(params.chat_id) === String(chat));
  }

  async breaker(): Promise<BreakerJson> {
    const answer = await this.api.call<BreakerJson>('operator', 'GET', '/api/diagnostics/circuit-breaker');
    return answer.body;
  }
}

export interface OutboxRow {
  readonly kind: string;
  readonly chat_id: string;
  readonly attempts: number;
  readonly dead: boolean;
  readonly last_error: string | null;
}
