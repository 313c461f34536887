import type { KnownAgent } from './known-agent';
import { runs } from './tool-forms';

const SHELL = runs('bash');

/** Cursor, as `countersign hook cursor` names its shell. */
export const CURSOR: KnownAgent = {
  name: 'Cursor',
  tool: (name) => (name === 'Shell' ? SHELL : null),
  unguardedMode: () => null,
  subagent: () => null,
};
