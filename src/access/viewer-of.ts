import { isOidcAccount, type Identity } from './identity';
import { personOf } from './known-person';
import type { Person } from '../kernel/actor';
import type { Reader, Viewer } from '../kernel/viewer';

export const readerOf = ({ owner, keyId }: Pick<Identity, 'owner' | 'keyId'>): Reader => ({
  person: personOf(owner ?? ''),
  mayBeAdmin: !isOidcAccount(keyId),
});

/** A person whom a channel authenticated, by the name that the policy has for them. Where others read too, nobody is an admin. */
export const readerNamed = ({ name }: Pick<Person, 'name'>, isAlone = true): Reader => ({
  person: personOf(name),
  mayBeAdmin: isAlone,
});

/** An agent sees the requests of its own key. */
export const viewerOf = (caller: Identity): Viewer =>
  caller.role === 'agent' ? { keyId: caller.keyId } : readerOf(caller);
