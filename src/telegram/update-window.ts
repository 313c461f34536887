/**
 * The updates that Telegram may still deliver again, and the offset that confirms those before them. An update is
 * confirmed only after it was handled, and one that is being handled is not begun a second time.
 */
export class UpdateWindow {
  private readonly states = new Map<number, 'under-way' | 'done'>();
  private next = 0;

  /** What getUpdates asks from. */
  get offset(): number {
    return this.next;
  }

  /** @returns false for an update that was begun or done before. */
  begin(id: number): boolean {
    if (this.states.has(id)) return false;
    this.states.set(id, 'under-way');
    return true;
  }

  /** Also for an update that cannot be read: it is skipped. */
  done(id: number): void {
    this.states.set(id, 'done');
  }

  /** The update is begun anew when it is delivered again. */
  failed(id: number): void {
    this.states.delete(id);
  }

  /**
   * Moves the offset behind the last update before the first one that is not done. An empty answer has confirmed
   * everything, and ids may start anew after a quiet week: the offset is 0 again.
   *
   * @param ids of the last answer
   * @returns whether the answer brought anything to its end
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
