/** The window slides in this many steps: at 30 s an outcome is dropped after 29.9 to 30 s. */
const SLOTS = 300;

/**
 * Counts the calls, and the failed ones, of the last `windowMs`. A ring of counters: recording takes constant time and
 * no memory, whatever the load.
 */
export class OutcomeWindow {
  private readonly slotMs: number;
  private readonly callsIn = new Int32Array(SLOTS);
  private readonly failuresIn = new Int32Array(SLOTS);
  /** Slots since the origin of the clock; its remainder is the index in the ring. */
  private newest = 0;
  private callSum = 0;
  private failureSum = 0;

  constructor(windowMs: number) {
    this.slotMs = windowMs / SLOTS;
  }

  /** @param nowMs monotonic, never less than in an earlier call. */
  record(failed: boolean, nowMs: number): void {
    this.slideTo(nowMs);
    const slot = this.newest % SLOTS;
    this.callsIn[slot] = (this.callsIn[slot] ?? 0) + 1;
    this.callSum++;
    if (!failed) return;
    this.failuresIn[slot] = (this.failuresIn[slot] ?? 0) + 1;
    this.failureSum++;
  }

  /** Drops outcomes that have left the window by `nowMs`. */
  slideTo(nowMs: number): void {
    const newest = Math.floor(nowMs / this.slotMs);
    if (newest === this.newest) return;
    for (let i = Math.max(this.newest + 1, newest - SLOTS + 1); i <= newest; i++) this.empty(i % SLOTS);
    this.newest = newest;
  }

  clear(): void {
    for (let slot = 0; slot < SLOTS; slot++) this.empty(slot);
  }

  /** Calls at the last `record` or `slideTo`. */
  get calls(): number {
    return this.callSum;
  }

  /** Failures ÷ calls, 0 without calls; at the last `record` or `slideTo`. */
  get failureRate(): number {
    return this.callSum === 0 ? 0 : this.failureSum / this.callSum;
  }

  private empty(slot: number): void {
    this.callSum -= this.callsIn[slot] ?? 0;
    this.failureSum -= this.failuresIn[slot] ?? 0;
    this.callsIn[slot] = 0;
    this.failuresIn[slot] = 0;
  }
}
