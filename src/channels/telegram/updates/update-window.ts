/**
 * The updates that Telegram may still deliver again, and the offset that confirms those before them. It confirms an
 * update only after it was handled, and does not begin one again while it is being handled.
 */
export class UpdateWindow {
  private readonly states = new Map<number, 'under-way' | 'done'>();
  private next = 0;

  /** The offset for the next getUpdates. */
  get offset(): number {
    return this.next;
  }

  /** @returns false for an update that was begun or done before. */
  begin(id: number): boolean {
    if (this.states.has(id)) return false;
    this.states.set(id, 'under-way');
    return true;
  }

  /** Marks the update as done; also a malformed one, which is skipped. */
  done(id: number): void {
    this.states.set(id, 'done');
  }

  /** Marks the update as failed, so that a new delivery begins it again. */
  failed(id: number): void {
    this.states.delete(id);
  }

  /**
   * Moves the offset after the last update before the first one that is not done. An empty answer resets the offset to
   * 0: all updates are confirmed, and ids may restart after a week without updates.
   *
   * @param ids of the last answer
   * @returns true if the answer completed any update
   */
  advance(ids: readonly number[]): boolean {
    const open = ids.filter((id) => this.states.get(id) !== 'done');
    const before = this.next;
    this.next = open.length > 0 ? Math.min(...open) : ids.length > 0 ? Math.max(...ids) + 1 : 0;
    for (const [id, state] of this.states)
      if (state === 'done' && (id < this.next || ids.length === 0)) this.states.delete(id);
    return this.next > before;
  }
}
