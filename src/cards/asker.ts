import type { Asker } from '../kernel/actor';
import { visibleLine } from './visible-text/visible-text';

/** The authenticated API key of the request and its owner. The caller cannot choose either. */
export function askerOf({ keyId, owner }: Asker): string {
  return `API key ${visibleLine(keyId)}${owner === null ? '' : `, owner ${visibleLine(owner)}`}`;
}

/** Label for the name that the caller gives itself, which is not authenticated. */
export const CLAIMED_AGENT = 'Agent (claimed)';
