import { randomUUID } from 'node:crypto';
import { Inject } from '@nestjs/common';
import { Command, CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';
import { RateLimits } from '../../access/rate-limits';
import { nameActor, type Person } from '../../kernel/actor';
import { DomainError } from '../../kernel/errors';
import { ActivePolicy } from '../../policy/active-policy';
import { findOffers, type Offer } from '../../policy/grants/offers';
import { MAX_OPEN_OF_KEY } from '../../policy/grants/grant-store';
import { OpenGrants } from '../../policy/grants/open-grants';
import { compileScope } from '../../policy/grants/scope';
import { AGENT_TOOLS, type ToolShapes } from '../../policy/tool-shapes';
import { Receipts } from '../../receipts/receipts';
import { AlreadySettled, decide, type Approval, type DecidedApproval, withDecision } from '../approval';
import { ApprovalSettled } from '../approval-events';
import { ApprovalStore, type CoveredApproval, type NewGrant, type Snapshot } from '../approval-store';
import { grantActor } from '../grant-actor';
import { policyRequestOf } from '../policy-request-of';
import { SettlementFeed } from '../settlement-feed';
import { decideCounted, explainRefusal, findDecidable, shownTo } from './decidable';
import { judge } from './late-attempt';

/** Pending requests of the session that a new grant may settle at once; later ones use it when they are asked again. */
const MAX_COVERED = 100;

/** The bounds of a grant. */
export interface GrantBounds {
  readonly seconds: number;
  /** Null: as many uses as there is time for. */
  readonly uses: number | null;
  /** True for every session in the directory of the request, in place of its own session. */
  readonly inDirectory: boolean;
}

export interface MadeGrant {
  readonly id: string;
  readonly scope: string;
  readonly expiresAt: Date;
  readonly usesLeft: number | null;
  readonly by: Person;
  /** The request from which it was made, approved. */
  readonly approval: DecidedApproval;
}

/**
 * Approves a request, and the next ones like it until the grant ends. Authorise the operator before sending it.
 *
 * Rejects as DecideApprovalCommand does, and with DomainError `grant.not-permitted` if this offer is not one of the
 * request's, or its class has no grants.
 */
export class MakeGrantCommand extends Command<MadeGrant> {
  constructor(
    readonly approvalId: string,
    /** The id of the offer. */
    readonly offer: string,
    readonly bounds: GrantBounds,
    readonly by: Person,
    /** Digest of the card or page that the person saw; null: of the card in the chat, if there is one. */
    readonly displayDigest: string | null = null,
  ) {
    super();
  }
}

@CommandHandler(MakeGrantCommand)
export class MakeGrantHandler implements ICommandHandler<MakeGrantCommand> {
  constructor(
    readonly store: ApprovalStore,
    private readonly limits: RateLimits,
    private readonly feed: SettlementFeed,
    readonly receipts: Receipts,
    readonly events: EventBus,
    private readonly policy: ActivePolicy,
    private readonly grants: OpenGrants,
    @Inject(AGENT_TOOLS) private readonly shapes: ToolShapes,
  ) {}

  execute(command: MakeGrantCommand): Promise<MadeGrant> {
    return decideCounted(this.limits, command.by, async () =>
      this.make(await findDecidable(command.approvalId, this), command),
    );
  }

  /** @returns null if something has changed since the request was seen: it must be read again */
  private async make(seen: Snapshot, command: MakeGrantCommand): Promise<MadeGrant | null> {
    const { approvalId: id, by, displayDigest: saw, bounds } = command;
    const unsigned = await judge(
      () => decide(seen.approval, by, 'approved', null, seen.now),
      { id, by, attempt: 'approved' },
      { store: this.store, limits: this.limits },
    );
    // Approved by the same person before, so this grant would be a second effect of one decision.
    if (unsigned === seen.approval) throw new AlreadySettled(unsigned);
    const offer = this.findOffer(seen.approval, command.offer);
    const grant: NewGrant = {
      ...grantIdentity(offer, by),
      scope: offer.scope,
      words: offer.words,
      seconds: bounds.seconds,
      maxUses: bounds.uses,
      policyVersion: this.policy.version,
      cwd: bounds.inDirectory ? directoryOf(seen.approval) : null,
    };
    const maker = { id: grant.id, by: nameActor(by) };
    const covered = await this.cover(unsigned, grant, maker);
    const shown = shownTo(saw, seen);
    const receipt = await this.receipts.sign({ approval: unsigned, displayDigest: shown.digest });
    const approval = { ...withDecision(unsigned, shown.digest), receipt };
    const settled = new Set(await this.store.grant(approval, shown, grant, covered));
    if (settled.size === 0) {
      await explainRefusal(seen, { by, verdict: 'approved' }, this.store);
      await this.policy.refresh();
      return null;
    }
    // Whoever is answered now may ask the next request at once.
    await this.grants.refresh();
    for (const each of [approval, ...covered]) {
      if (!settled.has(each.id)) continue;
      this.feed.answer(each);
      this.events.publish(new ApprovalSettled(each));
    }
    const expiresAt = new Date(unsigned.settledAt.getTime() + bounds.seconds * 1000);
    const usesLeft = bounds.uses === null ? null : bounds.uses - (settled.size - 1);
    return { id: grant.id, scope: offer.words, expiresAt, usesLeft, by, approval };
  }

  private findOffer(approval: Approval, id: string): Offer {
    if (!this.policy.mayGrant(approval.policy)) {
      throw new DomainError(
        'grant.not-permitted',
        'A rule asks about this request, its class has no grants, or the policy has changed since: decide it alone.',
      );
    }
    checkRoom(this.grants, approval.keyId);
    const request = policyRequestOf(approval, approval, approval.connector);
    const offer = findOffers(request, approval.inputDigest, this.shapes).find((each) => each.id === id);
    if (offer) return offer;
    throw new DomainError(
      'grant.not-permitted',
      'This scope is not offered for this request; read its grant-offers.',
    );
  }

  /** The requests of the session or directory that wait and that the grant covers, approved by it. */
  private async cover(
    approval: DecidedApproval,
    { scope, maxUses, cwd, actor }: NewGrant,
    maker: { readonly id: string; readonly by: ReturnType<typeof nameActor> },
  ): Promise<CoveredApproval[]> {
    const { keyId, sessionId, settledAt } = approval;
    const { snapshots } = await this.store.list({
      keyId,
      sessionId: cwd === null ? sessionId : null,
      status: 'pending',
      agentId: null,
      connector: null,
      beforeId: null,
      limit: MAX_COVERED,
    });
    const rules = compileScope(scope);
    const covered = snapshots
      .map((snapshot) => snapshot.approval)
      .filter(
        (each) =>
          each.id !== approval.id &&
          each.toolName === approval.toolName &&
          (cwd === null || each.cwd === cwd) &&
          (scope.kind === 'matching' || each.inputDigest === scope.inputDigest) &&
          this.policy.mayGrant(each.policy) &&
          this.policy.allows(rules, policyRequestOf(each, each, each.connector)),
      )
      .slice(0, maxUses ?? MAX_COVERED);
    return Promise.all(
      covered.map(async (each) => {
        const ended: DecidedApproval = {
          ...each,
          status: 'approved',
          settledAt,
          decision: { by: actor, reason: null },
          acknowledged: null,
          receipt: null,
        };
        const receipt = await this.receipts.sign({
          approval: { ...ended, grant: maker },
          displayDigest: null,
        });
        return { ...ended, receipt };
      }),
    );
  }
}

/** @throws DomainError `grant.not-permitted` if the key may have no more open grants */
export function checkRoom(grants: OpenGrants, keyId: string): void {
  if (grants.ofKey(keyId) < MAX_OPEN_OF_KEY) return;
  throw new DomainError(
    'grant.not-permitted',
    `This key has ${MAX_OPEN_OF_KEY} open grants; revoke those that are not needed.`,
  );
}

function directoryOf({ cwd }: Approval): string {
  if (cwd !== null) return cwd;
  throw new DomainError('grant.not-permitted', 'This request names no directory; grant it for its session.');
}

function grantIdentity({ words }: Offer, by: Person): Pick<NewGrant, 'id' | 'actor'> {
  const id = randomUUID();
  return { id, actor: grantActor({ id, words, by: nameActor(by) }) };
}
