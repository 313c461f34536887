import { hash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Role } from '../http/role';

/** 256 bits, in 43 characters that need no quoting anywhere. */
const KEY_BYTES = 32;

/** Prefixes by which people and scanners for leaked secrets recognise a key. */
const PREFIX: Readonly<Record<Role, string>> = {
  agent: 'csa_',
  operator: 'cso_',
  observer: 'csv_',
  admin: 'csm_',
};

/** A listed key, valid or revoked. */
export interface KeyRecord {
  readonly name: string;
  readonly role: Role;
  readonly owner: string | null;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

export function newKey(role: Role): string {
  return `${PREFIX[role]}${randomBytes(KEY_BYTES).toString('base64url')}`;
}

/**
 * Hashes a key for storage. A plain fast hash is enough: a key is 256 random bits, not a guessable password
 * (docs/adr/0012).
 */
export function digestOf(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}

/** Name prefix of keys of the environment and of `keys.json`. */
export const BOOTSTRAP_PREFIX = 'bootstrap-';

export const keyNameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'must be 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit',
  )
  .refine(
    (name) => !name.toLowerCase().startsWith(BOOTSTRAP_PREFIX),
    `must not begin with ${BOOTSTRAP_PREFIX}, which is for the keys of the environment`,
  );

export const ownerSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$/,
    'must be 1 to 100 of A-Z a-z 0-9 . _ @ + - and begin with a letter or digit',
  );
