import type { Type } from '@nestjs/common';
import type { Config } from '../config/environment';
import type { Carrier } from '../outbox/carrier';
import type { Lanes } from '../outbox/lanes';
import type { Work } from '../outbox/outbox-store';

/**
 * Scope of a failure, which determines the retry.
 *
 * - `message`: the lane will never accept this message, but others.
 * - `files`: the lane accepts text, but no files.
 * - `lane`: the lane refuses the message now and may accept it later.
 * - `ended`: a person ended their own lane, and may begin another.
 * - `busy`: the lane accepts no more messages at the moment.
 * - `connection`: this replica cannot reach the channel now; another may.
 * - `unknown`: no answer came; the message may have been delivered.
 */
export type FailureScope = 'message' | 'files' | 'lane' | 'ended' | 'busy' | 'connection' | 'unknown';

/** A message could not be delivered. */
export class DeliveryFailure extends Error {
  override readonly name = 'DeliveryFailure';
  readonly isRefusal: boolean;

  constructor(
    readonly scope: FailureScope,
    message: string,
    /** Wait that the channel asked for. */
    readonly retryAfterMs: number | null = null,
    options?: ErrorOptions & {
      /** True if the lane refuses messages until somebody repairs it. */
      readonly isRefusal?: boolean;
    },
  ) {
    super(message, options);
    this.isRefusal = options?.isRefusal ?? false;
  }
}

/** Counts of work that was missed while no replica ran, or while the channel was off. */
export interface Missed {
  readonly cards: number;
  readonly outcomes: number;
}

/**
 * One way to reach operators, behind which everything of it is hidden. A channel also implements the ports
 * {@link Lanes} and {@link Carrier} of the outbox, and takes answers by commands.
 */
export abstract class Channel {
  /** False while this replica should not send; `onReachable` reports the end of that. */
  abstract get reachable(): boolean;

  abstract onReachable(listener: () => void): void;

  /** Resolves if the channel answers now; sends nothing. Rejects with DeliveryFailure. */
  abstract check(): Promise<void>;

  /** Enqueues the work that was missed. */
  abstract catchUp(): Promise<Missed>;

  /**
   * Performs the work, or its next step, and ends it. Rejects with DeliveryFailure; the worker retries.
   *
   * @returns true if the lane of the work accepted a message.
   */
  abstract deliver(work: Work): Promise<boolean>;
}

/** A channel as it is plugged in (`channels.ts`). */
export interface ChannelPlug {
  /** Its lanes begin with this and a colon. */
  readonly name: string;
  readonly isOn: (config: Config) => boolean;
  readonly lanes: Type<Lanes>;
  readonly carrier: Type<Carrier>;
  /** Made only where the channel is on. */
  readonly channel: Type<Channel>;
  /** All other parts that it provides. */
  readonly providers: readonly Type[];
}
