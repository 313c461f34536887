import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Identity } from './identity';
import { RefusalLog } from '../audit/refusal-log';
import { CONFIG, type Config } from '../config/environment';
import { RateLimited } from '../kernel/errors';
import { currentCorrelationId } from '../logging/correlation';
import { callerGone } from './caller-gone';
import { OpenBodies } from './open-bodies';
import { ConnectionLimit } from '../http/connection-limit';

/** Short, because a waiting call may be answered at any moment. */
const RETRY_AFTER_SECONDS = 5;

/**
 * Counts held calls: waits, event streams, the connectors' calls. Each keeps a connection for up to hours, so one key
 * may hold only a limited number. All keys together leave room for calls that are answered at once. Counted per
 * replica, because its connections are what runs out.
 */
@Injectable()
export class OpenAnswers {
  private readonly held = new Map<string, number>();
  private total = 0;

  constructor(
    private readonly connections: ConnectionLimit,
    private readonly bodies: OpenBodies,
    private readonly refusals: RefusalLog,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /**
   * Counts the call until its connection closes or its answer is complete.
   *
   * @returns the signal of {@link callerGone}
   * @throws RateLimited as a rejection when too many calls are held
   */
  async hold(reply: FastifyReply, caller: Identity): Promise<AbortSignal> {
    const { keyId } = caller;
    const mine = this.held.get(keyId) ?? 0;
    const { maxWaitingPerKey: most } = this.config.http;
    if (mine >= most) await this.refuse(keyId, `calls of this key wait for an answer (at most ${most})`);
    if (this.total >= this.connections.maxHeld) await this.refuse(keyId, 'calls wait for an answer');
    if (!reply.raw.destroyed) {
      this.held.set(keyId, (this.held.get(keyId) ?? 0) + 1);
      this.total += 1;
      reply.raw.once('close', () => this.release(keyId));
    }
    return callerGone(reply, caller);
  }

  /** Drops the body of a held call, whose request was stored: it would stay in memory, and count, until the answer. */
  dropBody({ request, raw }: FastifyReply): void {
    request.body = undefined;
    this.bodies.release(raw);
  }

  private release(keyId: string): void {
    const left = (this.held.get(keyId) ?? 1) - 1;
    if (left > 0) this.held.set(keyId, left);
    else this.held.delete(keyId);
    this.total -= 1;
  }

  private async refuse(keyId: string, what: string): Promise<never> {
    await this.refusals.recordFlood({
      type: 'access.rate-limited',
      actor: `api:${keyId}`,
      approvalId: null,
      correlationId: currentCorrelationId(),
      data: { what },
    });
    throw new RateLimited(what, RETRY_AFTER_SECONDS);
  }
}
