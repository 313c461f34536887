import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Where this machine keeps the sessions of its agents: the XDG state directory, which the service knows nothing of. */
export function stateDirectory(): string {
  const configured = process.env.XDG_STATE_HOME;
  const base =
    configured !== undefined && isAbsolute(configured) ? configured : join(homedir(), '.local', 'state');
  return join(base, 'countersign', 'sessions');
}
