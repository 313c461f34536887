import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { AGENTS } from './agents';
import type { ConnectedAgent, Place } from './connected-agent';

const VERSION_WITHIN_MS = 20_000;

export interface Installed {
  readonly agent: ConnectedAgent;
  /** Null where only its settings are here. */
  readonly program: string | null;
  readonly version: string | null;
}

/**
 * The agents on this machine that have such settings: those named, or all that are found.
 *
 * @throws Error for one that is named and is not here, or has none
 */
export function installedAgents(place: Place, names: readonly string[]): Installed[] {
  return AGENTS.filter(({ name }) => names.length === 0 || names.includes(name)).flatMap((agent) => {
    if (!agent.scopes.includes(place.scope)) {
      if (names.length === 0) return [];
      throw new Error(
        `${agent.title} has no ${place.scope} settings that this version writes: leave --${place.scope} out`,
      );
    }
    const program =
      agent.programs.map((name) => programIn(place.env, name)).find((path) => path !== null) ?? null;
    if (program === null && agent.isHere?.(place) !== true) {
      if (names.length === 0) return [];
      throw new Error(`${agent.title} is not installed here: there is no ${agent.programs[0]} in PATH`);
    }
    return [{ agent, program, version: program === null ? null : versionOf(program, place.env) }];
  });
}

function programIn({ PATH = '' }: NodeJS.ProcessEnv, name: string): string | null {
  for (const folder of PATH.split(delimiter)) {
    const path = join(folder, name);
    if (folder !== '' && isProgram(path)) return path;
  }
  return null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function versionOf(program: string, env: NodeJS.ProcessEnv): string | null {
  const { stdout } = spawnSync(program, ['--version'], { env, encoding: 'utf8', timeout: VERSION_WITHIN_MS });
  return /\d+\.\d+\.\d+(?:-[\w.]*\w)?/.exec(stdout)?.[0] ?? null;
}
