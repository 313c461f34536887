import { isIP } from 'node:net';
import { DomainError } from '../../kernel/errors';

/** The address whose passkeys these are. */
export interface RelyingParty {
  /** Host name; WebAuthn knows no ports. */
  readonly id: string;
  readonly origin: string;
}

/**
 * @param origin of the console as its page is addressed
 * @throws DomainError `passkey.refused` for an IP address, for which browsers make no passkeys
 */
export function relyingPartyAt(origin: string): RelyingParty {
  const { hostname } = new URL(origin);
  if (isIP(hostname.replace(/^\[|\]$/g, '')) === 0) return { id: hostname, origin };
  throw new DomainError(
    'passkey.refused',
    'Browsers make no passkeys for an IP address: open the console at localhost, or at CONSOLE_URL.',
  );
}
