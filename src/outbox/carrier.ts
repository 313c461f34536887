import type { Query } from '../database/database';

/**
 * Room for messages in the limits of a whole channel, such as `telegram`, or of one place in it. Times are the
 * database's, as it writes them; null: now.
 */
export interface Room {
  readonly place: string;
  /** Time at which the place takes the next message. */
  readonly freeAt: string | null;
  /** The same for messages that must leave room for outcomes. */
  readonly shareFreeAt: string | null;
}

/** The channel that carries the outbox's messages, as the outbox's own transactions need it. */
export abstract class Carrier {
  /**
   * Reads the room over all replicas, and locks it until the transaction ends.
   *
   * @returns one entry for the channel, and one for each place that has limits of its own at the moment.
   */
  abstract readRoom(query: Query): Promise<readonly Room[]>;

  /**
   * Takes room for one call, after {@link readRoom}.
   *
   * @param shared true for a message that must leave room for outcomes.
   *
   * @returns the id of the taken slot.
   */
  abstract takeSlot(query: Query, lane: string, shared: boolean): Promise<string>;

  /** Returns a slot for which no call was made. */
  abstract cancelSlot(lane: string, slot: string): Promise<void>;

  /** Messages that the lane takes in a minute: more waiting cards than this make a digest. */
  abstract perMinute(lane: string): number;

  /** Forgets sends with an unknown outcome: a person who requests a replay accepts a duplicate. */
  abstract forgive(query: Query, approvalIds: readonly string[]): Promise<void>;
}
