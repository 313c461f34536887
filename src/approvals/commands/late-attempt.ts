import { AlreadySettled, Expired, NotDecidable } from '../approval';
import type { Person } from '../../kernel/actor';
import type { ApprovalStore, LateAttempt } from '../approval-store';
import type { RateLimits } from '../../access/rate-limits';

function refusalOf(error: unknown): LateAttempt['reason'] | null {
  if (error instanceof Expired) return 'expired';
  if (error instanceof AlreadySettled) return 'already-settled';
  return error instanceof NotDecidable ? 'not-decidable' : null;
}

/**
 * Applies the pure rule to an attempt to end a request. Writes a refused attempt into the audit log before its caller
 * gets the error.
 *
 * Rejects with AlreadySettled, Expired or NotDecidable, and with RateLimited after too many refused attempts.
 */
export async function judge<Result>(
  rule: () => Result | Promise<Result>,
  { id, by, attempt }: { id: string; by: Person; attempt: LateAttempt['attempt'] },
  { store, limits }: { store: ApprovalStore; limits: RateLimits },
): Promise<Result> {
  try {
    return await rule();
  } catch (error) {
    const reason = refusalOf(error);
    if (reason !== null) {
      await limits.refuse(by);
      await store.recordLate(id, by, { attempt, reason });
    }
    throw error;
  }
}
