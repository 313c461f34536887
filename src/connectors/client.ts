import { randomUUID } from 'node:crypto';
import { inputDigest } from '../kernel/canonical-json';
import { SystemClock, type Clock } from '../kernel/clock';
import { keySetSchema } from '../receipts/key-set';
import { ReceiptRefused, verifyReceipt, type ExpectedUse } from '../receipts/verify-receipt';
import {
  approvalPageSchema,
  approvalSchema,
  type Acknowledgement,
  type Approval,
  type ApprovalFilter,
  type ApprovalPage,
  type Ask,
} from './client/approval-wire';
import { persistently } from './client/persistence';
import { ServiceUnreachable } from './client/service-errors';
import { callService, type ServiceCall, type ServiceDoor } from './client/service-call';

export type { Acknowledgement, Approval, ApprovalFilter, ApprovalPage, Ask } from './client/approval-wire';
export { ServiceRefused, ServiceUnreachable } from './client/service-errors';
export { ReceiptRefused } from '../receipts/verify-receipt';

/** The longest that one call waits; the service allows no more. */
const WAIT_SECONDS = 55;
/** The largest page of a list. */
const PAGE_SIZE = 200;
/** How long an ask goes on that cannot reach the service. A restart takes seconds. */
const ASK_PATIENCE_MS = 120_000;
/** How long a cancellation or an acknowledgement does. Nothing hangs on it but what the card says. */
const NOTICE_PATIENCE_MS = 10_000;
/** How long after the request has expired the last try to hear of its end may come. */
const EXPIRY_MARGIN_MS = 5_000;

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/**
 * The service's REST API for agents and operators. Calls go on through restarts and network cuts, in growing
 * pauses, and a request is asked once however often its call is repeated.
 *
 * All methods throw `ServiceRefused` when the service says no, `ServiceUnreachable` when it could not be reached for
 * as long as the method says, and the signal's reason when that is aborted.
 */
export class CountersignClient {
  private readonly door: ServiceDoor;

  /**
   * @param door `url` such as `http://127.0.0.1:3000`; `key` of an agent or an operator
   * @throws TypeError when the URL is none
   */
  constructor(
    door: ServiceDoor,
    private readonly clock: Clock = new SystemClock(),
  ) {
    const { protocol, origin, pathname } = new URL(door.url);
    if (protocol !== 'http:' && protocol !== 'https:') throw new TypeError(`${door.url} is no http(s) URL`);
    this.door = { url: `${origin}${pathname.replace(/\/+$/, '')}`, key: door.key };
  }

  /**
   * Asks. Goes on for two minutes when the service cannot be reached.
   *
   * What comes back is for exactly this action: its digest is worked out anew here.
   *
   * @param options.idempotencyKey the same key with the same ask is the same request, over crashes of the caller too
   */
  async enqueue(
    ask: Ask,
    options: CallOptions & { readonly idempotencyKey?: string } = {},
  ): Promise<Approval> {
    const headers = { 'idempotency-key': options.idempotencyKey ?? randomUUID() };
    const approval = await this.repeat(
      { method: 'POST', path: '/api/approvals', body: ask, headers, signal: options.signal },
      ASK_PATIENCE_MS,
    );
    const { toolName, toolInput, cwd = null } = ask;
    if (approval.inputDigest !== inputDigest({ toolName, toolInput, cwd })) throw notOurs(approval.id);
    return approval;
  }

  /** The approval as it stands; one try. */
  get(id: string, { signal }: CallOptions = {}): Promise<Approval> {
    return callService(this.door, { method: 'GET', path: pathOf(id), signal }, approvalSchema);
  }

  /** Waits for the end of a request, however long. Without an answer goes on until it has surely expired. */
  async settled(approval: Approval, { signal }: CallOptions = {}): Promise<Approval> {
    const lifetimeMs = Date.parse(approval.expiresAt) - Date.parse(approval.createdAt);
    const expiredMs = this.clock.monotonicMs() + lifetimeMs + EXPIRY_MARGIN_MS;
    for (let latest = approval; ;) {
      if (latest.status !== 'pending') return latest;
      const untilMs = Math.max(expiredMs, this.clock.monotonicMs() + EXPIRY_MARGIN_MS);
      const path = `${pathOf(approval.id)}?wait=${WAIT_SECONDS}`;
      const call = { method: 'GET', path, heldMs: WAIT_SECONDS * 1000, signal } as const;
      latest = await persistently(() => callService(this.door, call, approvalSchema), {
        clock: this.clock,
        untilMs,
        signal,
      });
      // A cache or a confused proxy may answer with the approval of something else.
      if (latest.id !== approval.id || latest.inputDigest !== approval.inputDigest) throw notOurs(latest.id);
    }
  }

  /** One page, newest first; one try. */
  list(
    filter: ApprovalFilter & { readonly limit?: number; readonly cursor?: string },
  ): Promise<ApprovalPage> {
    const query = new URLSearchParams(
      Object.entries(filter).map(([name, value]): [string, string] => [name, String(value)]),
    );
    return callService(
      this.door,
      { method: 'GET', path: `/api/approvals?${query.toString()}` },
      approvalPageSchema,
    );
  }

  /** All that fit, newest first, page by page. */
  async *all(filter: ApprovalFilter): AsyncGenerator<Approval> {
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page: ApprovalPage = await this.list({ ...filter, limit: PAGE_SIZE, ...(cursor && { cursor }) });
      yield* page.items;
      cursor = page.nextCursor;
    }
  }

  /** Approves or rejects; needs an operator's key. One try. */
  decide(id: string, decision: 'approved' | 'rejected', reason?: string): Promise<Approval> {
    const call = { method: 'POST', path: `${pathOf(id)}/decision`, body: { decision, reason } } as const;
    return callService(this.door, call, approvalSchema);
  }

  /** Takes a request back. Goes on for ten seconds when the service cannot be reached. */
  cancel(id: string, reason?: string, { signal }: CallOptions = {}): Promise<Approval> {
    return this.repeat(
      { method: 'POST', path: `${pathOf(id)}/cancel`, body: { reason }, signal },
      NOTICE_PATIENCE_MS,
    );
  }

  /** Tells the operators what became of the agent. Goes on for ten seconds when the service cannot be reached. */
  acknowledge(id: string, outcome: Acknowledgement, { signal }: CallOptions = {}): Promise<Approval> {
    return this.repeat(
      { method: 'POST', path: `${pathOf(id)}/ack`, body: { outcome }, signal },
      NOTICE_PATIENCE_MS,
    );
  }

  /**
   * That an approval allows exactly this use: its receipt is genuine, by the keys that the service has now, says
   * "approved" of this very action, and may still be used. Act after it resolved, and once. Goes on for two minutes
   * when the keys cannot be had.
   *
   * @throws ReceiptRefused when any of it does not hold.
   */
  async verify(
    approval: Approval,
    use: Omit<ExpectedUse, 'approvalId'>,
    { signal }: CallOptions = {},
  ): Promise<void> {
    if (approval.receipt === null) throw new ReceiptRefused('The request has no receipt.');
    const untilMs = this.clock.monotonicMs() + ASK_PATIENCE_MS;
    const call = { method: 'GET', path: '/.well-known/jwks.json', signal } as const;
    const keys = await persistently(() => callService(this.door, call, keySetSchema), {
      clock: this.clock,
      untilMs,
      signal,
    });
    const expected = { ...use, approvalId: approval.id };
    await verifyReceipt(approval.receipt, keys, expected, this.clock.now());
  }

  private repeat(call: ServiceCall, patienceMs: number): Promise<Approval> {
    const untilMs = this.clock.monotonicMs() + patienceMs;
    return persistently(() => callService(this.door, call, approvalSchema), {
      clock: this.clock,
      untilMs,
      signal: call.signal,
    });
  }
}

const notOurs = (id: string): ServiceUnreachable =>
  new ServiceUnreachable(`the answer is about another request: ${id}`);

function pathOf(id: string): string {
  return `/api/approvals/${encodeURIComponent(id)}`;
}
