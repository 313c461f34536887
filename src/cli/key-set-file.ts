import { readFileSync } from 'node:fs';
import { keySetSchema, type KeySet } from '../receipts/key-set';

/** Reads a JWK set from a file. @throws Error naming the file. */
export function readKeys(path: string): KeySet {
  try {
    return keySetSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new Error(`${path}: is not a readable JWK set`, { cause });
  }
}
