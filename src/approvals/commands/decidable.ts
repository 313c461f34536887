import type { EventBus } from '@nestjs/cqrs';
import type { RateLimits } from '../../access/rate-limits';
import type { Person } from '../../kernel/actor';
import { isQuestion } from '../../kernel/question-tools';
import { groupsInWords, type Requirement } from '../../kernel/requirement';
import { DomainError } from '../../kernel/errors';
import type { SignedDecision } from '../../kernel/passkey-statement';
import type { Receipts } from '../../receipts/receipts';
import { ApprovalSettled } from '../approval-events';
import type { ApprovalStore, Attempt, ShownCard, Snapshot } from '../approval-store';
import { findAnswerable } from './find-answerable';

/** Maximum number of tries, when the request changes between its read and its update. */
const MAX_TRIES = 5;

/**
 * Runs the work of one decision until it has a result; null: the request has changed since it was read, or that was too
 * long ago. Counts it as one decision of the person.
 */
export async function decideCounted<Result>(
  limits: RateLimits,
  by: Person,
  work: () => Promise<Result | null>,
): Promise<Result> {
  const counted = await limits.decide(by);
  try {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const result = await work();
      if (result !== null) return result;
    }
    throw new DomainError(
      'database.unavailable',
      'The request was different each time it was settled; try again shortly.',
    );
  } catch (error) {
    // One tap is retried for minutes: counted each time, it would use up the limit and be refused at the end.
    if (error instanceof DomainError && error.code === 'database.unavailable') await counted.giveBack();
    throw error;
  }
}

/** Reads the request; ends it first if it is overdue, so that the caller gets the true state. */
export async function findDecidable(
  id: string,
  { store, receipts, events }: { store: ApprovalStore; receipts: Receipts; events: EventBus },
): Promise<Snapshot> {
  const from = { store, receipts, id, gone: null };
  const found = await findAnswerable('everything', from);
  if (found.approval.status !== 'pending' || found.endsInMs > 0) return found;
  for (const ended of await store.expireOverdue([id])) events.publish(new ApprovalSettled(ended));
  return findAnswerable('everything', from);
}

/**
 * The card or page that the receipt of a decision names: the one that its person saw, else the card in the chat.
 *
 * @param saw digest of the card that was tapped, or of the page; null: unknown
 */
export function shownTo(saw: string | null, seen: Snapshot): ShownCard {
  return saw !== null ? { digest: saw, tapped: true } : { digest: seen.displayDigest, tapped: false };
}

/**
 * Explains a decision, a claim or more time that was not stored, or a decision that was not taken back. @returns null if the request must be read again.
 *
 * @throws DomainError `access.same-owner`, `quorum.not-eligible`, `passkey.required`, `passkey.refused`
 */
export async function explainRefusal(
  { approval: { id, required, toolName } }: Snapshot,
  { by, verdict, signed = null }: { by: Person; verdict: Attempt; signed?: SignedDecision | null },
  store: ApprovalStore,
): Promise<'counted' | null> {
  const why = await store.explainRefusal(id, by, verdict, signed);
  if (why === 'same-owner') throw sameOwner();
  if (why === 'not-eligible') throw notEligible(required);
  if (why === 'passkey-removed')
    throw new DomainError(
      'passkey.refused',
      'Nothing was decided: the passkey that signed this was removed.',
    );
  if (why === 'needs-passkey')
    throw new DomainError(
      'passkey.required',
      isQuestion({ toolName })
        ? 'The policy lets nobody approve this without a passkey, which signs no answers: answer it at the terminal where the agent runs.'
        : 'The policy lets nobody approve this without a passkey: sign in to the console with yours, and approve it there.',
    );
  return why;
}

/** The keys that ask and decide have the same owner. */
export function sameOwner(): DomainError {
  return new DomainError(
    'access.same-owner',
    'The key that asked and this one belong to the same owner; somebody else must decide.',
  );
}

/** The policy lets other people decide. */
export function notEligible(required: Requirement | null): DomainError {
  const groups = required ? groupsInWords(required) : '';
  const those = groups === '' ? '' : ` in ${groups}`;
  return new DomainError(
    'quorum.not-eligible',
    `The policy lets other people decide this: those it names${those}, and not the one who asked.`,
  );
}
