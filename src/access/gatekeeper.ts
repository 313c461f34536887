import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { RefusalLog } from '../audit/refusal-log';
import { auditName } from '../kernel/actor';
import { DomainError } from '../kernel/errors';
import type { JsonObject } from '../kernel/json';
import { currentCorrelationId } from '../logging/correlation';
import { actorOf, type Identity } from './identity';
import { perMinute, REFUSALS_PER_MINUTE, take } from './process-rate-limits';
import { sourceOf } from './source';

const idSchema = z.guid();

/** The refused call; contains no text of the caller. */
export interface Attempt {
  readonly method: string;
  /** The route's template, such as `/api/approvals/:id`. */
  readonly route: string;
}

/** Refuses callers, writes the refusals into the audit log, and bounds what a flood of them costs. */
@Injectable()
export class Gatekeeper {
  private readonly refused = perMinute(REFUSALS_PER_MINUTE);

  constructor(private readonly refusals: RefusalLog) {}

  /**
   * Refuses an unknown caller: one audit row a source and minute.
   *
   * @throws `reason` always; RateLimited above the limit of refusals.
   */
  async turnAwayStranger(address: string, { method, route }: Attempt, reason: DomainError): Promise<never> {
    const actor = `ip:${sourceOf(address)}`;
    const refusal = { type: 'access.unauthenticated', actor, data: { method, route } } as const;
    await this.refusals.recordFlood({ ...refusal, approvalId: null, correlationId: currentCorrelationId() });
    await take(this.refused, actor, 'attempts without a valid key');
    throw reason;
  }

  /**
   * Refuses a key without the role: one audit row for every attempt.
   *
   * @throws DomainError `access.forbidden` always; RateLimited above the limit of refusals.
   */
  async turnAwayHolder(
    identity: Identity,
    { method, route }: Attempt,
    approvalId: unknown,
    needed: readonly string[],
  ): Promise<never> {
    const { role } = identity;
    const actor = auditName(actorOf(identity));
    await take(this.refused, actor, 'attempts that the role does not allow');
    const data: JsonObject = { method, route, role };
    await this.refusals.record({
      type: 'access.forbidden',
      actor,
      approvalId: idSchema.safeParse(approvalId).data ?? null,
      correlationId: currentCorrelationId(),
      data,
    });
    throw new DomainError(
      'access.forbidden',
      `This needs a key with the role ${needed.join(' or ') || 'none'}; yours is ${role}.`,
    );
  }
}
