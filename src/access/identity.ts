import type { Asker, Channel, Person } from '../kernel/actor';
import type { Role } from '../http/role';
import type { Standing } from './standing';

/** The holder of an API key. */
export interface Identity extends Asker {
  /** The key's name, which is never reused. */
  readonly keyId: string;
  readonly role: Role;
  /** `console` for a session that stands for the key. */
  readonly channel: Channel;
  readonly standing: Standing;
}

export function actorOf({
  keyId,
  channel = 'api',
}: Pick<Identity, 'keyId'> & Partial<Pick<Identity, 'channel'>>): Person {
  return { kind: 'person', channel, id: keyId, name: keyId };
}
