import { AlreadySettled, Expired, type Actor } from '../approval';
import type { ApprovalStore, LateAttempt } from '../approval-store';
import type { RateLimits } from '../rate-limits';

/**
 * Applies the pure rule to an attempt to end a request. One that came too late is evidence: it is written down before its
 * caller hears of it.
 *
 * Rejects with AlreadySettled or Expired, and with RateLimited when such attempts do not stop.
 */
export async function judged<Result>(
  rule: () => Result,
  { id, by, attempt }: { id: string; by: Actor; attempt: LateAttempt['attempt'] },
  { store, limits }: { store: ApprovalStore; limits: RateLimits },
): Promise<Result> {
  try {
    return rule();
  } catch (error) {
    if (error instanceof AlreadySettled || error instanceof Expired) {
      await limits.refuse(by);
      const reason = error instanceof Expired ? 'expired' : 'already-settled';
      await store.noteLate(id, by, { attempt, reason });
    }
    throw error;
  }
}
