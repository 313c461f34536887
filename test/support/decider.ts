import type { EventBus } from '@nestjs/cqrs';
import type { RateLimits } from '../../src/access/rate-limits';
import type { Approval, Verdict } from '../../src/approvals/approval';
import { ApprovalSettled } from '../../src/approvals/approval-events';
import type { ApprovalStore, Snapshot } from '../../src/approvals/approval-store';
import { DecideApprovalCommand, DecideApprovalHandler } from '../../src/approvals/commands/decide-approval';
import type { SettlementFeed } from '../../src/approvals/settlement-feed';
import type { Person } from '../../src/kernel/actor';
import type { OpenStore } from './open-store';

/** The true state after an attempt to decide. `changed`: the attempt ended the request, as wanted or as expired. */
export interface Attempt {
  readonly changed: boolean;
  readonly approval: Approval;
}

const NO_LIMITS = {
  decide: () => Promise.resolve({ giveBack: () => Promise.resolve() }),
  refuse: () => Promise.resolve(),
} as unknown as RateLimits;

/** The store, whose first read answers what was seen before; null: what is in the database. */
export function storeThatSaw<Store extends ApprovalStore>(store: Store, seen: Snapshot | null): Store {
  let first = seen;
  const find: ApprovalStore['find'] = (...given) => {
    const answer = first ? Promise.resolve(first) : store.find(...given);
    first = null;
    return answer;
  };
  return Object.create(store, { find: { value: find } }) as Store;
}

/** Decides on an open store as the service does, but leaves refused attempts out of the audit log. */
export async function attempt(
  { store, receipts }: OpenStore,
  command: {
    readonly id: string;
    readonly verdict: Verdict;
    readonly by: Person;
    readonly reason?: string | null;
  },
  seen: Snapshot | null = null,
): Promise<Attempt> {
  let changed = false;
  const events = { publish: (event: unknown) => (changed ||= event instanceof ApprovalSettled) };
  const handler = new DecideApprovalHandler(
    storeThatSaw(
      Object.create(store, { recordLate: { value: () => Promise.resolve() } }) as typeof store,
      seen,
    ),
    NO_LIMITS,
    { answer: () => undefined } as unknown as SettlementFeed,
    receipts,
    events as unknown as EventBus,
  );
  const { id, by, verdict, reason = null } = command;
  try {
    const approval = await handler.execute(new DecideApprovalCommand(id, by, verdict, reason));
    return { changed, approval };
  } catch (error) {
    if (!(error instanceof Error) || !('approval' in error)) throw error;
    return { changed, approval: error.approval as Approval };
  }
}
