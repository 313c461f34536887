import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { EventBus } from '@nestjs/cqrs';
import { isUnavailable } from '../database/database';
import { DomainError } from '../kernel/errors';
import { describeError } from '../kernel/describe-error';
import { Log } from '../logging/log';
import { RECEIPT_TYPE, receiptClaims, type ReceiptSubject } from './receipt-claims';
import { ReceiptsFailed } from './receipt-events';
import { ReceiptStore } from './receipt-store';
import { SigningKeys } from './signing-keys';

/** A settled approval, and the digest of the shown card. */
export interface Shown {
  readonly approval: ReceiptSubject;
  readonly displayDigest: string | null;
}

/** Signs settled approvals. Without a receipt there is no answer: the caller gets an error and retries. */
@Injectable()
export class Receipts {
  constructor(
    private readonly keys: SigningKeys,
    private readonly store: ReceiptStore,
    private readonly events: EventBus,
    private readonly log: Log,
  ) {}

  /** @throws DomainError `receipt.unavailable`. */
  sign(shown: Shown): Promise<string> {
    return this.orUnavailable(1, () => this.signed(shown));
  }

  /**
   * Signs and stores the receipts of approvals that have none yet.
   *
   * @returns the receipt of each, by its id; an earlier one if it exists by now.
   * @throws DomainError `receipt.unavailable`, `database.unavailable`.
   */
  issue(all: readonly Shown[]): Promise<ReadonlyMap<string, string>> {
    return this.orUnavailable(all.length, async () =>
      this.store.keep(new Map(all.map((each) => [each.approval.id, this.signed(each)]))),
    );
  }

  private signed({ approval, displayDigest }: Shown): string {
    return this.keys.sign(RECEIPT_TYPE, receiptClaims(approval, displayDigest, randomUUID()));
  }

  private async orUnavailable<T>(count: number, work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.events.publish(new ReceiptsFailed(count));
      this.log.event(
        'error',
        'receipts.failed',
        { count, error: describeError(error) },
        'receipts could not be made; the decision is not given without',
      );
      if (isUnavailable(error)) throw error;
      throw new DomainError('receipt.unavailable', 'The receipt cannot be made now; try again shortly.', {
        cause: error,
      });
    }
  }
}
