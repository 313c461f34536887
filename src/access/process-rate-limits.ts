import { Inject, Injectable } from '@nestjs/common';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Actor } from '../approvals/approval';
import { RateLimits } from '../approvals/rate-limits';
import { RefusalLog } from '../audit/refusal-log';
import { CONFIG, type Config } from '../config/environment';
import { RateLimited } from '../kernel/errors';
import { currentCorrelationId } from '../logging/correlation';

const MINUTE_SECONDS = 60;
const HOUR_SECONDS = 3600;
const MIB = 1024 * 1024;

/** Refusals of one source or one identity within a minute that get their own error; further ones get RateLimited. */
export const REFUSALS_PER_MINUTE = 600;

export const perMinute = (points: number): RateLimiterMemory =>
  new RateLimiterMemory({ points, duration: MINUTE_SECONDS });

/** Takes a point. @throws RateLimited, with the time until the next point is available. */
export async function take(limiter: RateLimiterMemory, subject: string, what: string): Promise<void> {
  try {
    await limiter.consume(subject);
  } catch (refusal) {
    throw explained(refusal, what);
  }
}

function explained(refusal: unknown, what: string): unknown {
  if (!(refusal instanceof RateLimiterRes)) return refusal;
  return new RateLimited(what, Math.max(1, Math.ceil(refusal.msBeforeNext / 1000)));
}

/**
 * Limits of this replica, counted in its memory: behind a balancer, N replicas take up to N times as much. Only the cap
 * of pending requests holds over all replicas (docs/adr/0014).
 */
@Injectable()
export class ProcessRateLimits extends RateLimits {
  private readonly asks: RateLimiterMemory;
  private readonly bytes: RateLimiterMemory;
  private readonly bytesName: string;
  private readonly decisions: RateLimiterMemory;
  private readonly refused = perMinute(REFUSALS_PER_MINUTE);

  constructor(
    private readonly refusals: RefusalLog,
    @Inject(CONFIG) { rateLimits }: Config,
  ) {
    super();
    this.asks = perMinute(rateLimits.agentPerMinute);
    this.bytes = new RateLimiterMemory({ points: rateLimits.agentBytesPerHour, duration: HOUR_SECONDS });
    this.bytesName = `MiB of requests stored within an hour (at most ${rateLimits.agentBytesPerHour / MIB})`;
    this.decisions = perMinute(rateLimits.operatorPerMinute);
  }

  async ask(keyId: string, bytes: number): Promise<void> {
    const actor = `api:${keyId}`;
    await this.count(this.asks, actor, 'requests');
    try {
      await this.count(this.bytes, actor, this.bytesName, bytes);
    } catch (error) {
      // A large request that does not fit leaves its room to smaller ones.
      await this.giveBackBytes(keyId, bytes);
      throw error;
    }
  }

  async giveBack(keyId: string, bytes: number): Promise<void> {
    await this.asks.reward(`api:${keyId}`);
    await this.giveBackBytes(keyId, bytes);
  }

  async giveBackBytes(keyId: string, bytes: number): Promise<void> {
    await this.bytes.reward(`api:${keyId}`, bytes);
  }

  decide({ kind, id }: Actor): Promise<void> {
    return this.count(this.decisions, `${kind}:${id}`, 'decisions');
  }

  refuse({ kind, id }: Actor): Promise<void> {
    return this.count(this.refused, `${kind}:${id}`, 'attempts that come too late');
  }

  private async count(limiter: RateLimiterMemory, actor: string, what: string, points = 1): Promise<void> {
    try {
      await limiter.consume(actor, points);
    } catch (refusal) {
      const correlationId = currentCorrelationId();
      const data = { what };
      await this.refusals.recordFlood({
        type: 'access.rate-limited',
        actor,
        approvalId: null,
        correlationId,
        data,
      });
      throw explained(refusal, what);
    }
  }
}
