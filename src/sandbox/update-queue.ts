import type { Clock } from '../kernel/clock';

/** Source of the numbers: the Bot API server (messages are kept 24 h, callback queries 150 s). */
const LIFETIME_MS: Readonly<Record<string, number>> = { callback_query: 150_000 };
const DEFAULT_LIFETIME_MS = 24 * 3600_000;

/** Kinds that a bot receives only if `allowed_updates` names them. */
const OPT_IN = new Set(['chat_member', 'message_reaction', 'message_reaction_count']);

export interface Update {
  readonly update_id: number;
  readonly [kind: string]: unknown;
}

interface QueuedUpdate {
  readonly kind: string;
  readonly lane: string;
  readonly update: Update;
  readonly expiresAtMs: number;
}

/** The updates of one bot that nobody has confirmed yet. */
export class UpdateQueue {
  private queued: QueuedUpdate[] = [];
  private allowed: readonly string[] = [];
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly clock: Clock,
    private nextUpdateId: number,
  ) {}

  /** Sets the kinds for updates that are added later, as Telegram does; an empty list means the default. */
  allow(kinds: readonly string[]): void {
    this.allowed = kinds;
  }

  get allowedUpdates(): readonly string[] {
    return this.allowed;
  }

  /**
   * @param lane updates of one lane keep their order in webhook delivery
   * @returns false if the bot does not want this kind
   */
  add(kind: string, body: unknown, lane: string): boolean {
    const wanted = this.allowed.length === 0 ? !OPT_IN.has(kind) : this.allowed.includes(kind);
    if (!wanted) return false;
    this.push(kind, { update_id: this.nextUpdateId++, [kind]: body }, lane);
    return true;
  }

  /** Adds an update unchanged, for tests that need a duplicate, a gap or a restart of the numbers. */
  inject(update: Update): void {
    const kind = Object.keys(update).find((key) => key !== 'update_id') ?? 'unknown';
    this.nextUpdateId = Math.max(this.nextUpdateId, update.update_id + 1);
    this.push(kind, update, kind);
  }

  private push(kind: string, update: Update, lane: string): void {
    const expiresAtMs = this.clock.monotonicMs() + (LIFETIME_MS[kind] ?? DEFAULT_LIFETIME_MS);
    this.queued.push({ kind, lane, update, expiresAtMs });
    for (const listener of [...this.listeners]) listener();
  }

  /** Calls back at every new update until the returned function is called. */
  onAdded(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Drops all updates below the offset: the bot has processed them. */
  confirmBelow(offset: number): void {
    this.queued = this.queued.filter((q) => q.update.update_id >= offset);
  }

  remove(update: Update): void {
    this.queued = this.queued.filter((q) => q.update !== update);
  }

  /**
   * The updates for a getUpdates with this offset. A positive offset confirms all updates before it. A negative one
   * counts from the end and drops all updates before. Returned updates stay queued until they are confirmed.
   */
  read(offset: number, limit: number): Update[] {
    this.dropExpired();
    if (offset > 0) this.confirmBelow(offset);
    if (offset < 0) this.queued = this.queued.slice(offset);
    return this.queued.slice(0, limit).map((q) => q.update);
  }

  /** The first update of every lane that is not excluded. */
  heads(excludedLanes: ReadonlySet<string>): { lane: string; update: Update }[] {
    this.dropExpired();
    const heads = new Map<string, Update>();
    for (const { lane, update } of this.queued) if (!heads.has(lane)) heads.set(lane, update);
    return [...heads]
      .filter(([lane]) => !excludedLanes.has(lane))
      .map(([lane, update]) => ({ lane, update }));
  }

  clear(): void {
    this.queued = [];
  }

  /** Restarts the numbers here: Telegram may choose a random number after a week without updates. */
  restartAt(updateId: number): void {
    this.nextUpdateId = updateId;
  }

  /** Reverses the order of the waiting updates. */
  reverse(): void {
    this.queued.reverse();
  }

  /** Adds the last update again under its own id: Telegram may deliver an update twice. */
  duplicateLast(): Update | null {
    const last = this.queued.at(-1);
    if (!last) return null;
    this.queued.push({ ...last, update: { ...last.update } });
    return last.update;
  }

  get size(): number {
    this.dropExpired();
    return this.queued.length;
  }

  private dropExpired(): void {
    const now = this.clock.monotonicMs();
    this.queued = this.queued.filter((q) => q.expiresAtMs > now);
  }
}
