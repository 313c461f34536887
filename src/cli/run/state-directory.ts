import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Directory for the agent sessions of this machine, below the XDG state directory; the service does not use it. */
export function stateDirectory(): string {
  const configured = process.env.XDG_STATE_HOME;
  const base =
    configured !== undefined && isAbsolute(configured) ? configured : join(homedir(), '.local', 'state');
  return join(base, 'countersign', 'sessions');
}
