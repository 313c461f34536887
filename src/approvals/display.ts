import { Injectable } from '@nestjs/common';
import type { Identity } from '../access/identity';
import { DomainError, InvalidInput } from '../kernel/errors';
import type { Approval } from './approval';
import { FinishedApprovals } from './finished-approvals';
import { viewerOf } from '../access/viewer-of';

/** The text that a page shows of a request, before somebody decides. */
export abstract class Display {
  /** Digest of the text that would be shown now: `sha256:` and hex. */
  abstract digestOf(approval: Approval): Promise<string>;
}

/** Verifies that a decision is about the text that the service shows. */
@Injectable()
export class ShownDisplays {
  constructor(
    private readonly finished: FinishedApprovals,
    private readonly display: Display,
  ) {}

  /**
   * A decision in the console must name the text that the page showed. A program may.
   *
   * @returns the digest for the decision and its receipt; null: the program named none, or may not see the request
   * @throws InvalidInput, DomainError `approval.shown-otherwise`, `approval.not-found`
   */
  async verify(id: string, caller: Identity, shown: string | null): Promise<string | null> {
    if (shown === null && caller.channel === 'console')
      throw new InvalidInput([
        {
          path: 'displayDigest',
          message: 'must be the displayDigest of what the page showed; reload the page',
        },
      ]);
    if (shown === null) return null;
    const approval = await this.seen(id, caller);
    // Whoever may not see it may not decide it either, and is refused so when they decide.
    if (approval === null) return null;
    if ((await this.display.digestOf(approval)) === shown) return shown;
    throw new DomainError(
      'approval.shown-otherwise',
      'Nothing was decided: this request is not shown as you saw it. Read it again, then decide.',
    );
  }

  /** @returns null: a program may not see it. A console, which must name what it showed, is told that there is none. */
  private async seen(id: string, caller: Identity): Promise<Approval | null> {
    try {
      return (await this.finished.get(id, viewerOf(caller))).approval;
    } catch (error) {
      const isHidden = error instanceof DomainError && error.code === 'approval.not-found';
      if (isHidden && caller.channel !== 'console') return null;
      throw error;
    }
  }
}
