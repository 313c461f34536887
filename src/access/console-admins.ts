import type { Identity } from './identity';

/** Tells for which callers a session of the console also has the rights of an admin key. The policy names them. */
export abstract class ConsoleAdmins {
  abstract includes(caller: Pick<Identity, 'channel' | 'keyId' | 'owner'>): boolean;
}
