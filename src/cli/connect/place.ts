import { realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Place, Scope } from '../../agent-side/connect/connected-agent';
import { ConnectJournal } from '../../agent-side/connect/connect-journal';
import { KeptOriginals } from '../../agent-side/connect/kept-originals';
import { withoutSecrets } from '../../config/secrets';
import type { ServiceDoor } from '../../agent-side/client/service-call';
import { stateDirectory } from '../run/state-directory';

/** This machine, and the service behind the door; the agents of a canary get the key of the command. */
export function placeOf({ url, key }: ServiceDoor, scope: Scope): Place {
  const [, program = ''] = process.argv;
  return {
    env: { ...withoutSecrets(process.env), COUNTERSIGN_KEY: key },
    home: homedir(),
    cwd: process.cwd(),
    scope,
    // The parser escapes what a shell or a settings file could read otherwise.
    url: new URL(url).href.replace(/\/+$/, '').replaceAll("'", '%27'),
    self: ['node', realpathSync(program)],
  };
}

const connectDirectory = (): string => join(dirname(stateDirectory()), 'connect');

export const keptOriginals = (): KeptOriginals => new KeptOriginals(connectDirectory());

/** A sentence about an earlier `connect` that was killed between two files; null if there was none. */
export function interruption(): string | null {
  const half = new ConnectJournal(connectDirectory()).interrupted();
  if (half === null) return null;
  const [written, notWritten] = [half.written, half.notWritten].map((paths) => paths.join(', '));
  return `countersign connect was interrupted: it wrote ${written}, and not ${notWritten}`;
}

export interface ScopeOptions {
  readonly user?: boolean;
  readonly project?: boolean;
  readonly managed?: boolean;
}

/** @throws Error for more than one */
export function scopeOf(options: ScopeOptions): Scope {
  const chosen = (['user', 'project', 'managed'] as const).filter((scope) => options[scope] === true);
  if (chosen.length > 1) throw new Error(`give one of --${chosen.join(', --')}`);
  return chosen[0] ?? 'user';
}
