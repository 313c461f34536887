import type { Asker, Channel, Person } from '../kernel/actor';
import type { Role } from '../http/role';
import type { Standing } from './standing';

/** The holder of an API key, or a person who signed in with a passkey or at the OpenID provider. */
export interface Identity extends Asker {
  /** The key's name, which is never reused; of a person {@link accountOf} or {@link oidcAccountOf}. */
  readonly keyId: string;
  readonly role: Role;
  /** `console` for a session that stands for the key. */
  readonly channel: Channel;
  readonly standing: Standing;
  /** Name of the person who signed in with a passkey; otherwise absent. */
  readonly person?: string;
}

/** The account of a person who signs in with a passkey. No key has it: the name of a key has no colon. */
export const accountOf = (person: string): string => `person:${person}`;

/** The account of a person who signs in at the OpenID provider. No key has it, either. */
export const oidcAccountOf = (person: string): string => `oidc:${person}`;
export const isOidcAccount = (keyId: string): boolean => keyId.startsWith('oidc:');

export function actorOf({
  keyId,
  channel = 'api',
  person = keyId,
}: Pick<Identity, 'keyId'> & Partial<Pick<Identity, 'channel' | 'person'>>): Person {
  return { kind: 'person', channel, id: keyId, name: person };
}
