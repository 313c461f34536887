/**
 * Lanes of the operators' messages: texts such as `telegram:-100123` or `telegram:-100123/17`. A lane begins with the
 * name of its channel and a colon; only the channel reads the rest.
 */
export abstract class Lanes {
  /** The lanes for an approval; empty: there is nobody to ask. */
  abstract get current(): readonly string[];
}
