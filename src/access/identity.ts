import type { Actor } from '../approvals/approval';

export type Role = 'agent' | 'operator' | 'observer';

/** The holder of an API key. */
export interface Identity {
  readonly keyId: string;
  readonly role: Role;
  readonly name: string;
}

export function actorOf(identity: Identity): Actor {
  return { kind: 'api', id: identity.keyId, name: identity.name };
}
