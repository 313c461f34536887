import { DomainError } from '../kernel/errors';

const revoked = () => new DomainError('access.unauthenticated', 'This API key was revoked.');

/** Tracks whether a key is still valid, for calls that outlive their authentication. */
export class Standing {
  /** Waiting calls that end with the key; the controllers themselves, so that a waiter costs little memory. */
  private readonly calls = new Set<AbortController>();
  private ended = false;

  /** `check` refreshes the keys if they are outdated, and rejects when that fails. */
  constructor(private readonly check: () => void | Promise<void> = () => undefined) {}

  /** Aborts the call when the key is revoked; at once if it was revoked already. */
  watch(call: AbortController): void {
    if (this.ended) call.abort(revoked());
    else this.calls.add(call);
  }

  release(call: AbortController): void {
    this.calls.delete(call);
  }

  /**
   * Confirms that the key is valid. Call it after every wait, before sending an answer.
   *
   * @throws DomainError `access.unauthenticated` when the key was revoked meanwhile, `database.unavailable` when the
   * keys cannot be read.
   */
  async confirm(): Promise<void> {
    await this.check();
    if (this.ended) throw revoked();
  }

  /** Ends the key. @returns the number of calls that ended with it. */
  end(): number {
    const { size } = this.calls;
    this.ended = true;
    for (const call of this.calls) call.abort(revoked());
    this.calls.clear();
    return size;
  }
}
