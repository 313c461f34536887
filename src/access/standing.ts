import { DomainError } from '../kernel/errors';

/** Whether a key still counts, for calls that outlive the moment at which the guard looked at it. */
export class Standing {
  /** Calls in waiting that end when the key does; the controllers themselves, so that a waiter costs little. */
  private readonly calls = new Set<AbortController>();
  private ended = false;

  /** `check` brings the knowledge of keys up to date where it is not, and rejects when that cannot be done. */
  constructor(private readonly check: () => void | Promise<void> = () => undefined) {}

  /** Aborts the call when the key is revoked; at once when it was. */
  watch(call: AbortController): void {
    if (this.ended) call.abort();
    else this.calls.add(call);
  }

  release(call: AbortController): void {
    this.calls.delete(call);
  }

  /**
   * To be asked after every wait, before anything is told.
   *
   * @throws DomainError `access.unauthenticated` when the key was revoked meanwhile, `database.unavailable` when
   * nobody can tell.
   */
  async confirm(): Promise<void> {
    await this.check();
    if (this.ended) throw new DomainError('access.unauthenticated', 'This API key was revoked.');
  }

  /** @returns how many calls ended with it. */
  end(): number {
    const { size } = this.calls;
    this.ended = true;
    for (const call of this.calls) call.abort();
    this.calls.clear();
    return size;
  }
}
