import type { Asker, Person } from '../kernel/actor';
import type { Role } from '../http/role';
import type { Standing } from './standing';

/** The holder of an API key. */
export interface Identity extends Asker {
  /** The key's name, which is never reused. */
  readonly keyId: string;
  readonly role: Role;
  readonly standing: Standing;
}

export function actorOf({ keyId }: Pick<Identity, 'keyId'>): Person {
  return { kind: 'person', channel: 'api', id: keyId, name: keyId };
}
