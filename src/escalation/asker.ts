import type { Asker } from '../approvals/approval';
import { visibleLine } from './visible-text';

/** The API key that asked and its owner, as they were authenticated. Neither can be chosen by who asks. */
export function askerOf({ keyId, owner }: Asker): string {
  return `API key ${visibleLine(keyId)}${owner === null ? '' : `, owner ${visibleLine(owner)}`}`;
}

/** Over the name that the caller gives itself, which proves nothing. */
export const CLAIMED_AGENT = 'Agent (claimed)';
