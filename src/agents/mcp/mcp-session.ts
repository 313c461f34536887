import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** 96 random bits, so that session ids are unique. */
const RANDOM_BYTES = 12;
/** 128 bits of the HMAC. */
const MAC_BYTES = 16;
const SESSION_ID = /^([\w-]{16})\.([\w-]{22})$/;

const macOf = (random: string, key: string): Buffer =>
  createHmac('sha256', key).update(`countersign mcp session ${random}`).digest().subarray(0, MAC_BYTES);

/**
 * The id of a new session, for the holder of this API key. It contains a MAC, so every replica can verify it, also
 * after a restart, without a table that grows with every client that connects.
 */
export function issueSession(key: string): string {
  const random = randomBytes(RANDOM_BYTES).toString('base64url');
  return `${random}.${macOf(random, key).toString('base64url')}`;
}

/** True if this session was issued to the holder of this API key. */
export function isIssued(session: string, key: string): boolean {
  const [, random, mac] = SESSION_ID.exec(session) ?? [];
  if (random === undefined || mac === undefined) return false;
  const given = Buffer.from(mac, 'base64url');
  // Accept only the canonical base64url form: code that compares ids as texts would see two sessions.
  return given.toString('base64url') === mac && timingSafeEqual(given, macOf(random, key));
}
