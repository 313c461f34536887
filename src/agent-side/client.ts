import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
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

/** Wait of one call, in seconds; the service allows no more. */
const WAIT_SECONDS = 55;
/** The largest page of a list. */
const PAGE_SIZE = 200;
/** A list of more pages, or of more time, has no end. */
const MAX_PAGES = 10_000;
const LIST_WITHIN_MS = 10 * 60_000;
/** Time for which an enqueue is retried while the service is unreachable. A restart takes seconds. */
const ASK_PATIENCE_MS = 120_000;
/** The same for a cancellation or an acknowledgement. Only the text of the card depends on these. */
const NOTICE_PATIENCE_MS = 10_000;
/** A wait that ends sooner, and without an outcome, was not held: a proxy or a cache may ignore the wait. */
const HELD_AT_LEAST_MS = 1_000;
/** Time after the expiry of a request in which the client still tries to read its outcome. */
const EXPIRY_MARGIN_MS = 5_000;

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/**
 * Client of the service's REST API for agents and operators. It retries calls with backoff through restarts and network
 * cuts; enqueueing is idempotent, so retries make one request.
 *
 * All methods throw `ServiceRefused` if the service refuses, `ServiceUnreachable` if it was unreachable for the
 * method's retry time, and the signal's reason if that is aborted.
 */
export class CountersignClient {
  private readonly door: ServiceDoor;

  /**
   * @param door `url` such as `http://127.0.0.1:3000`; `key` of an agent or an operator
   * @throws TypeError if the URL is not valid
   */
  constructor(
    door: ServiceDoor,
    private readonly clock: Clock = new SystemClock(),
  ) {
    const { protocol, origin, pathname } = new URL(door.url);
    if (protocol !== 'http:' && protocol !== 'https:')
      throw new TypeError(`${door.url} is not an http(s) URL`);
    this.door = { url: `${origin}${pathname.replace(/\/+$/, '')}`, key: door.key };
  }

  /**
   * Enqueues a request. Retries for two minutes while the service is unreachable.
   *
   * Computes the action's digest itself and compares it, so the returned approval is for exactly this action.
   *
   * @param options.idempotencyKey the same key with the same ask is the same request, even after a crash of the caller
   */
  async enqueue(
    ask: Ask,
    options: CallOptions & { readonly idempotencyKey?: string } = {},
  ): Promise<Approval> {
    return sameAction(ask, await this.repeat(enqueueCall('/api/approvals', ask, options), ASK_PATIENCE_MS));
  }

  /**
   * Like {@link enqueue}, for a tool that only reads.
   *
   * @returns null if no rule of the policy denies it, or asks and names its tool: then nobody is asked
   */
  async enqueueIfRuled(
    ask: Ask,
    options: CallOptions & { readonly idempotencyKey?: string } = {},
  ): Promise<Approval | null> {
    const call = enqueueCall('/api/approvals?ifRuled=true', ask, options);
    const approval = await this.repeatFor(approvalSchema.nullable(), call, ASK_PATIENCE_MS);
    return approval === null ? null : sameAction(ask, approval);
  }

  /** Reads the approval's current state; does not retry. */
  async get(id: string, { signal }: CallOptions = {}): Promise<Approval> {
    return sameRequest(id, await this.once({ method: 'GET', path: pathOf(id), signal }));
  }

  /**
   * Waits until the request is settled. While there is no answer, or none that was held, retries with backoff until the
   * request has surely expired.
   */
  async settled(approval: Approval, { signal }: CallOptions = {}): Promise<Approval> {
    const lifetimeMs = Date.parse(approval.expiresAt) - Date.parse(approval.createdAt);
    const expiredMs = this.clock.monotonicMs() + lifetimeMs + EXPIRY_MARGIN_MS;
    for (let latest = approval; ;) {
      if (latest.status !== 'pending') return latest;
      const untilMs = Math.max(expiredMs, this.clock.monotonicMs() + EXPIRY_MARGIN_MS);
      latest = await persistently(() => this.held(approval.id, signal), {
        clock: this.clock,
        untilMs,
        signal,
      });
      if (sameRequest(approval.id, latest).inputDigest !== approval.inputDigest) throw notOurs(latest.id);
    }
  }

  /** Reads one page, newest first; does not retry. */
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

  /** Reads all that match, newest first, page by page. Throws `ServiceUnreachable` if the pages do not end. */
  async *all(filter: ApprovalFilter): AsyncGenerator<Approval> {
    const untilMs = this.clock.monotonicMs() + LIST_WITHIN_MS;
    let cursor: string | null | undefined;
    for (let pages = 0; cursor !== null; pages++) {
      if (pages === MAX_PAGES || this.clock.monotonicMs() > untilMs)
        throw new ServiceUnreachable(`the list of ${this.door.url} does not end: ${pages} pages were read`);
      const page: ApprovalPage = await this.list({ ...filter, limit: PAGE_SIZE, ...(cursor && { cursor }) });
      yield* page.items;
      cursor = page.nextCursor;
    }
  }

  /** Approves or rejects; needs an operator's key. Does not retry. */
  async decide(id: string, decision: 'approved' | 'rejected', reason?: string): Promise<Approval> {
    const call = { method: 'POST', path: `${pathOf(id)}/decision`, body: { decision, reason } } as const;
    return sameRequest(id, await this.once(call));
  }

  /** Cancels a request. Retries for ten seconds while the service is unreachable. */
  async cancel(id: string, reason?: string, { signal }: CallOptions = {}): Promise<Approval> {
    const call = { method: 'POST', path: `${pathOf(id)}/cancel`, body: { reason }, signal } as const;
    return sameRequest(id, await this.repeat(call, NOTICE_PATIENCE_MS));
  }

  /** Reports the agent's outcome to the operators. Retries for ten seconds while the service is unreachable. */
  async acknowledge(id: string, outcome: Acknowledgement, { signal }: CallOptions = {}): Promise<Approval> {
    const call = { method: 'POST', path: `${pathOf(id)}/ack`, body: { outcome }, signal } as const;
    return sameRequest(id, await this.repeat(call, NOTICE_PATIENCE_MS));
  }

  /**
   * Verifies that an approval allows exactly this use. Its input must not be erased. Its receipt must be genuine by the
   * service's current keys, state "approved" for this action, and still be valid. Act after this resolved, and only once.
   * Retries for two minutes while the keys are unavailable.
   *
   * @throws ReceiptRefused if any of these checks fails.
   */
  async verify(
    approval: Approval,
    use: Omit<ExpectedUse, 'approvalId'>,
    { signal }: CallOptions = {},
  ): Promise<void> {
    // Erased: the receipt is still genuine, but nobody shall act by it any more.
    if (approval.inputErased !== undefined && approval.inputErased !== null)
      throw new ReceiptRefused('The input of the request was erased; ask again.');
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

  /** One wait. @throws ServiceUnreachable if the answer is pending and came too early. */
  private async held(id: string, signal: AbortSignal | undefined): Promise<Approval> {
    const beganMs = this.clock.monotonicMs();
    const path = `${pathOf(id)}?wait=${WAIT_SECONDS}`;
    const call = { method: 'GET', path, heldMs: WAIT_SECONDS * 1000, signal } as const;
    const latest = await this.once(call);
    if (latest.status === 'pending' && this.clock.monotonicMs() < beganMs + HELD_AT_LEAST_MS)
      throw new ServiceUnreachable('the service, or a proxy before it, ends every wait at once');
    return latest;
  }

  private once(call: ServiceCall): Promise<Approval> {
    return callService(this.door, call, approvalSchema);
  }

  private repeat(call: ServiceCall, patienceMs: number): Promise<Approval> {
    return this.repeatFor(approvalSchema, call, patienceMs);
  }

  private repeatFor<Schema extends z.ZodType>(
    schema: Schema,
    call: ServiceCall,
    patienceMs: number,
  ): Promise<z.infer<Schema>> {
    const untilMs = this.clock.monotonicMs() + patienceMs;
    return persistently(() => callService(this.door, call, schema), {
      clock: this.clock,
      untilMs,
      signal: call.signal,
    });
  }
}

function enqueueCall(
  path: string,
  ask: Ask,
  { idempotencyKey = randomUUID(), signal }: CallOptions & { readonly idempotencyKey?: string },
): ServiceCall {
  return { method: 'POST', path, body: ask, headers: { 'idempotency-key': idempotencyKey }, signal };
}

/** @throws ServiceUnreachable if the answer is about another action. */
function sameAction(ask: Ask, approval: Approval): Approval {
  const { toolName, toolInput, cwd = null } = ask;
  if (approval.inputDigest !== inputDigest({ toolName, toolInput, cwd })) throw notOurs(approval.id);
  return approval;
}

const notOurs = (id: string): ServiceUnreachable =>
  new ServiceUnreachable(`the answer is about another request: ${id}`);

/** @throws ServiceUnreachable if a cache or a misconfigured proxy answered with another approval. */
function sameRequest(id: string, approval: Approval): Approval {
  if (approval.id !== id) throw notOurs(approval.id);
  return approval;
}

function pathOf(id: string): string {
  return `/api/approvals/${encodeURIComponent(id)}`;
}
