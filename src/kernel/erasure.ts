import type { NamedActor } from './actor';

/** An admin has erased the input of a request. */
export interface Erasure {
  readonly by: NamedActor;
  readonly at: Date;
  readonly reason: string;
}
