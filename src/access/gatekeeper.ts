import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { RefusalLog } from '../audit/refusal-log';
import { DomainError } from '../kernel/errors';
import type { JsonObject } from '../kernel/json';
import { currentCorrelationId } from '../logging/correlation';
import type { Identity } from './identity';
import { perMinute, REFUSALS_PER_MINUTE, take } from './process-rate-limits';
import { sourceOf } from './source';

const idSchema = z.guid();

/** What was attempted; no part of it is the caller's text. */
export interface Attempt {
  readonly method: string;
  /** The route's template, such as `/api/approvals/:id`. */
  readonly route: string;
}

/** Turns away who may not come in, writes it down, and lets nobody make that expensive. */
@Injectable()
export class Gatekeeper {
  private readonly refused = perMinute(REFUSALS_PER_MINUTE);

  constructor(private readonly refusals: RefusalLog) {}

  /**
   * Nobody we know: one row a source and minute.
   *
   * @throws DomainError `access.unauthenticated` always; RateLimited when it does not stop.
   */
  async turnAwayStranger(address: string, { method, route }: Attempt, message: string): Promise<never> {
    const actor = `ip:${sourceOf(address)}`;
    const refusal = { type: 'access.unauthenticated', actor, data: { method, route } } as const;
    await this.refusals.recordFlood({ ...refusal, approvalId: null, correlationId: currentCorrelationId() });
    await take(this.refused, actor, 'attempts without a valid key');
    throw new DomainError('access.unauthenticated', message);
  }

  /**
   * A key without the role: every attempt is a row.
   *
   * @throws DomainError `access.forbidden` always; RateLimited when it does not stop.
   */
  async turnAwayHolder(
    { keyId, role }: Identity,
    { method, route }: Attempt,
    approvalId: unknown,
    needed: readonly string[],
  ): Promise<never> {
    const actor = `api:${keyId}`;
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
