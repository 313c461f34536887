import { setImmediate as nextTurn } from 'node:timers/promises';
import { Inject } from '@nestjs/common';
import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { nameActor } from '../../kernel/actor';
import { Clock } from '../../kernel/clock';
import { ActivePolicy } from '../../policy/active-policy';
import { findOffers, type Offer } from '../../policy/grants/offers';
import { compileScope } from '../../policy/grants/scope';
import { RequestHistory, type PastRequest } from '../../policy/request-history';
import { AGENT_TOOLS, type ToolShapes } from '../../policy/tool-shapes';
import { possibleVerdicts, type Approval } from '../approval';
import { ApprovalStore, type Snapshot } from '../approval-store';
import { policyRequestOf } from '../policy-request-of';
import { findFor } from './viewer';
import type { Viewer } from '../../kernel/viewer';

const COVERED_DAYS = 7;
/** A person waits for the answer, so a busy key is judged by its last requests. */
const MAX_HISTORY = 500;
/** Evaluations in one turn of the event loop, of which each takes about 50 µs. */
const IN_A_TURN = 50;

/** A decision that comes this long after the end of its request may still allow a repetition. */
const LATE_WITHIN_MS = 3_600_000;

/** A scope that may be granted, with the number of requests of the last 7 days that it would have covered. */
export interface GrantOffer extends Offer {
  readonly covered: number;
}

/** The grants that an operator may make from a pending request; none where grants are not permitted. */
export class FindGrantOffersQuery extends Query<GrantOffer[]> {
  constructor(
    readonly approvalId: string,
    readonly viewer: Viewer,
  ) {
    super();
  }
}

/** True if a grant may be made from the request now. */
export class MayGrantQuery extends Query<boolean> {
  constructor(readonly approval: Approval) {
    super();
  }
}

/** True if an operator may allow one repetition of a request that ended before anybody decided. */
export class MayGrantLateQuery extends Query<boolean> {
  constructor(readonly approval: Approval) {
    super();
  }
}

@QueryHandler(MayGrantQuery)
export class MayGrantHandler implements IQueryHandler<MayGrantQuery> {
  constructor(
    private readonly policy: ActivePolicy,
    @Inject(AGENT_TOOLS) private readonly shapes: ToolShapes,
  ) {}

  execute({ approval }: MayGrantQuery): Promise<boolean> {
    return Promise.resolve(offersOf(approval, this.policy, this.shapes).length > 0);
  }
}

@QueryHandler(MayGrantLateQuery)
export class MayGrantLateHandler implements IQueryHandler<MayGrantLateQuery> {
  constructor(
    readonly policy: ActivePolicy,
    @Inject(AGENT_TOOLS) readonly shapes: ToolShapes,
    private readonly clock: Clock,
  ) {}

  execute({ approval }: MayGrantLateQuery): Promise<boolean> {
    return Promise.resolve(findLateOffer(approval, this.clock.now(), this) !== null);
  }
}

/** The exact action of a request that ended lately before anybody decided: it expired, or the key that asked cancelled it. */
export function findLateOffer(
  approval: Approval,
  now: Date,
  { policy, shapes }: { policy: ActivePolicy; shapes: ToolShapes },
): Offer | null {
  const isUnanswered =
    approval.status === 'expired' ||
    (approval.status === 'cancelled' && nameActor(approval.by).id === approval.keyId);
  if (approval.erasure || !isUnanswered || now.getTime() - approval.settledAt.getTime() > LATE_WITHIN_MS)
    return null;
  return scopesOf(approval, policy, shapes).find(({ scope }) => scope.kind === 'exact') ?? null;
}

function offersOf(approval: Approval, policy: ActivePolicy, shapes: ToolShapes): Offer[] {
  return approval.status === 'pending' ? scopesOf(approval, policy, shapes) : [];
}

function scopesOf(approval: Approval, policy: ActivePolicy, shapes: ToolShapes): Offer[] {
  if (!possibleVerdicts(approval).includes('approved') || !policy.mayGrant(approval.policy)) return [];
  const request = policyRequestOf(approval, approval, approval.connector);
  return findOffers(request, approval.inputDigest, shapes);
}

@QueryHandler(FindGrantOffersQuery)
export class FindGrantOffersHandler implements IQueryHandler<FindGrantOffersQuery> {
  constructor(
    private readonly store: ApprovalStore,
    private readonly policy: ActivePolicy,
    private readonly history: RequestHistory,
    @Inject(AGENT_TOOLS) private readonly shapes: ToolShapes,
  ) {}

  async execute({ approvalId, viewer }: FindGrantOffersQuery): Promise<GrantOffer[]> {
    const seen = await findFor(viewer, { store: this.store, id: approvalId, gone: null });
    const offers = offersOf(seen.approval, this.policy, this.shapes);
    return offers.length === 0 ? [] : this.count(offers, await this.alike(seen));
  }

  /** The requests of the same key and tool, this one not among them. */
  private async alike({ approval, now }: Snapshot): Promise<readonly PastRequest[]> {
    const since = new Date(now.getTime() - COVERED_DAYS * 24 * 3_600_000);
    const past = await this.history.recent(approval.keyId, since, MAX_HISTORY);
    return past.filter(({ id, request }) => id !== approval.id && request.toolName === approval.toolName);
  }

  private async count(offers: readonly Offer[], past: readonly PastRequest[]): Promise<GrantOffer[]> {
    const scopes = offers.map((offer) => ({ offer, rules: compileScope(offer.scope), covered: 0 }));
    for (const [nth, { request, inputDigest }] of past.entries()) {
      if (nth % IN_A_TURN === IN_A_TURN - 1) await nextTurn();
      for (const each of scopes) {
        const { scope } = each.offer;
        if (scope.kind === 'exact' && scope.inputDigest !== inputDigest) continue;
        if (this.policy.allows(each.rules, request)) each.covered += 1;
      }
    }
    return scopes.map(({ offer, covered }) => ({ ...offer, covered }));
  }
}
