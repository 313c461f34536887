import { realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { CountersignClient } from '../../agent-side/client';
import { ServiceRefused } from '../../agent-side/client/service-errors';
import type { SessionFile, SessionFiles } from '../../agent-side/run/session-files';
import { unknownKey, type ServiceOptions } from '../service-options';

/** The options of `countersign run`. */
export interface RunOptions extends ServiceOptions {
  readonly agent: string;
  readonly cwd?: string;
  readonly resume?: string;
  readonly timeout?: number;
  readonly claude: string;
  readonly acp?: boolean;
  readonly prompt?: string;
}

/** Signals that the commands forward to the agent. */
export const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/** The session to go on with. @throws SessionUnknown, or Error if the session belongs to another agent. */
export async function sessionOf(sessions: SessionFiles, id: string, agentId: string): Promise<SessionFile> {
  const session = await sessions.read(id);
  if (session.agentId === agentId) return session;
  throw new Error(`session ${id} is of agent ${session.agentId}, not of ${agentId}`);
}

/** The path without symbolic links, as operators read it. @throws Error if it is not a directory. */
export function workingDirectory(path: string): string {
  const cwd = resolve(path);
  if (statSync(cwd, { throwIfNoEntry: false })?.isDirectory() === true) return realpathSync(cwd);
  throw new Error(`--cwd ${path}: there is no such directory`);
}

/** Checks the API key now rather than at the first tool call. @throws Error, and the client's errors. */
export async function requireAgent(client: CountersignClient, agentId: string): Promise<void> {
  try {
    await client.list({ agentId, limit: 1 });
  } catch (error) {
    if (error instanceof ServiceRefused && error.status === 401) {
      throw unknownKey();
    }
    throw error;
  }
}

/** Reads the option `--timeout`. @throws InvalidArgumentError */
export function seconds(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('It must be a whole number of seconds, at least 1.');
}
