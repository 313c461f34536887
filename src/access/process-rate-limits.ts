import { Inject, Injectable } from '@nestjs/common';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Person } from '../kernel/actor';
import { RateLimits, type CountedAsk, type CountedDecision } from './rate-limits';
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
    throw toRateLimited(refusal, what);
  }
}

function toRateLimited(refusal: unknown, what: string): unknown {
  return refusal instanceof RateLimiterRes ? refusedBy(refusal, what) : refusal;
}

function refusedBy(refusal: RateLimiterRes, what: string): RateLimited {
  return new RateLimited(what, Math.max(1, Math.ceil(refusal.msBeforeNext / 1000)));
}

/** A session of the console stands for a key, so both count as one. */
const subjectOf = ({ channel, id }: Person): string => `${channel === 'console' ? 'api' : channel}:${id}`;

/** Points of an actor that one window of a limiter has counted. */
class Counted {
  constructor(
    private readonly limiter: RateLimiterMemory,
    private readonly actor: string,
    private readonly points: number,
    /** On the limiter's own clock, `Date.now()`. */
    private readonly windowEndsAt: number,
  ) {}

  /** Does nothing after the window: the limiter would begin a new one with points below zero, which is a credit. */
  async giveBack(): Promise<void> {
    if (Date.now() >= this.windowEndsAt) return;
    const { consumedPoints } = await this.limiter.reward(this.actor, this.points);
    // The window ended between the two readings of the clock.
    if (consumedPoints < 0) await this.limiter.delete(this.actor);
  }
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

  async ask(keyId: string, bytes: number): Promise<CountedAsk> {
    const actor = `api:${keyId}`;
    const ask = await this.count(this.asks, actor, 'requests');
    const stored = await this.count(this.bytes, actor, this.bytesName, bytes);
    return {
      giveBack: async () => {
        await ask.giveBack();
        await stored.giveBack();
      },
      giveBackBytes: () => stored.giveBack(),
    };
  }

  decide(by: Person): Promise<CountedDecision> {
    return this.count(this.decisions, subjectOf(by), 'decisions');
  }

  async refuse(by: Person): Promise<void> {
    await this.count(this.refused, subjectOf(by), 'attempts that come too late');
  }

  private async count(limiter: RateLimiterMemory, actor: string, what: string, points = 1): Promise<Counted> {
    // On the clock of the limiter, and before the limiter reads it, so that no window seems longer than it is.
    const now = Date.now();
    const counted = ({ msBeforeNext }: RateLimiterRes) =>
      new Counted(limiter, actor, points, now + msBeforeNext);
    try {
      return counted(await limiter.consume(actor, points));
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      // The limiter counts refused points too. A large request that does not fit leaves its room to smaller ones.
      await counted(refusal).giveBack();
      const correlationId = currentCorrelationId();
      const data = { what };
      await this.refusals.recordFlood({
        type: 'access.rate-limited',
        actor,
        approvalId: null,
        correlationId,
        data,
      });
      throw refusedBy(refusal, what);
    }
  }
}
