import { realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Place, Scope } from '../../agent-side/connect/connected-agent';
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

export const keptOriginals = (): KeptOriginals =>
  new KeptOriginals(join(dirname(stateDirectory()), 'connect'));

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
