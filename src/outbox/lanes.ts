/**
 * A lane is one destination of messages: they arrive in order, and their failures delay no other lane. It is a text such
 * as `telegram:-100123` or `telegram:-100123/17`, which begins with the name of a channel. Up to the first slash it names
 * the place, whose lanes share the channel's limits. Only the channel reads more of it.
 */
export abstract class Lanes {
  /** The lanes for news, and for an approval without a chain; empty: there is nobody to ask. */
  abstract get current(): readonly string[];
}

/** Name of the channel that a lane begins with. */
export const channelOf = (lane: string): string => lane.slice(0, Math.max(0, lane.indexOf(':')));
