import type { Actor } from '../approvals/approval';
import type { Role } from './api-key';
import type { Standing } from './standing';

/** The holder of an API key. */
export interface Identity {
  readonly keyId: string;
  readonly role: Role;
  readonly name: string;
  readonly standing: Standing;
}

export function actorOf(identity: Identity): Actor {
  return { kind: 'api', id: identity.keyId, name: identity.name };
}
