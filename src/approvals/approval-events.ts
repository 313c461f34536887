import type { Person } from '../kernel/actor';
import type { FatigueCause } from '../kernel/announcement';
import type { ClaimKind } from '../kernel/claim';
import type { Acknowledgement, ApprovalRequest, SettledApproval, Settlement, Verdict } from './approval';

/**
 * A request was stored. Published in memory only: subscribers may wake, count and log, but must not do durable work.
 */
export class ApprovalEnqueued {
  constructor(
    readonly approval: Pick<ApprovalRequest, 'id' | 'correlationId' | 'keyId' | 'agentId' | 'toolName'>,
  ) {}
}

/** This replica settled a request. In memory only, as above; the durable consequences were written with it. */
export class ApprovalSettled {
  /** @param approval the whole approval, where this replica has it. */
  constructor(readonly approval: Settlement | SettledApproval) {}
}

/** One tap of a person decided several requests on this replica. In memory only, as above. */
export class TurnDecided {
  constructor(
    readonly verdict: Verdict,
    readonly calls: number,
  ) {}
}

/** This replica recorded a decision of a request that needs more people. In memory only, as above. */
export class DecisionCounted {
  constructor(
    readonly approvalId: string,
    readonly verdict: Verdict,
    readonly by: Person,
  ) {}
}

/** A person said on this replica that they are on a request, or come back to it. In memory only, as above. */
export class ApprovalClaimed {
  constructor(
    readonly approval: Pick<ApprovalRequest, 'id' | 'correlationId' | 'createdAt'>,
    readonly by: Person,
    readonly kind: ClaimKind,
    readonly at: Date,
  ) {}
}

/** A person gave a request more time on this replica. In memory only, as above. */
export class ApprovalExtended {
  constructor(
    readonly approvalId: string,
    readonly by: Person,
    readonly seconds: number,
  ) {}
}

/** This replica warned the leads about a person. In memory only, as above. */
export class FatigueWarned {
  constructor(readonly cause: FatigueCause) {}
}

/** A person read the request in the console. In memory only, as above. */
export class ApprovalViewed {
  constructor(
    readonly approvalId: string,
    /** From the request. */
    readonly seconds: number,
  ) {}
}

/** This replica recorded the agent's acknowledgement. In memory only, as above. */
export class ApprovalAcknowledged {
  constructor(readonly outcome: Acknowledgement) {}
}

/** This replica stored a request with a chain. In memory only, as above. */
export class ChainBegun {}

/** A step of a chain began. In memory only, as above. */
export class StepBegun {
  constructor(
    readonly approval: Pick<ApprovalRequest, 'id' | 'correlationId'>,
    /** Counts from 1. */
    readonly step: number,
    readonly cause: 'time' | 'undeliverable',
    /** Lanes that are asked. */
    readonly lanes: number,
  ) {}
}

/** Every step of a chain is refused, so nobody can be reached. In memory only, as above. */
export class NobodyReachable {
  constructor(readonly approval: Pick<ApprovalRequest, 'id' | 'correlationId'>) {}
}
