import { actorOf, type Identity } from '../access/identity';
import type { Person } from '../kernel/actor';
import type { Roster } from '../people/roster';

/**
 * The holder of an operator's key, under the name of the person who owns the key.
 *
 * @param people of the active policy; null: it names nobody
 */
export function deciderOf(caller: Identity, people: Roster | null): Person {
  const actor = actorOf(caller);
  return { ...actor, name: people?.ofOwner(caller.owner) ?? actor.name };
}
