import type { Block } from './model-dialects';
import type { OwnKey } from './own-keys';
import type { SettingsFile } from './settings-edits';

/** Whose settings are written: of the user, of the project in this directory, or those an administrator prescribes. */
export type Scope = 'user' | 'project' | 'managed';

/** The machine and the service that an agent is connected on. */
export interface Place {
  readonly env: NodeJS.ProcessEnv;
  readonly home: string;
  readonly cwd: string;
  readonly scope: Scope;
  /** The address of the service, without a slash at its end. */
  readonly url: string;
  /** The program that runs now, as words of a command. */
  readonly self: readonly string[];
}

/** One start of an agent that makes one harmless call. */
export interface CanaryStart {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Text for the agent's standard input; none by default. */
  readonly input?: string;
  /** The verdict where no agent runs the command: true if its answer would let the agent run it. */
  readonly letsRun?: (ended: { readonly code: number | null; readonly output: string }) => boolean;
}

export interface Canary {
  /** A harmless command; running it leaves a file. */
  readonly command: string;
  readonly modelUrl: string;
  /** The installed program; null where only its settings are here. */
  readonly program: string | null;
  /** A unique word of the call, so that its request is found. */
  readonly name: string;
  /** A folder that lives as long as the canary. */
  readonly folder: string;
}

/** One agent that `connect` knows. Adding one is adding its descriptor. */
export interface ConnectedAgent {
  readonly name: string;
  readonly title: string;
  /** Names of its program in PATH. */
  readonly programs: readonly string[];
  readonly scopes: readonly Scope[];
  /** True where it is installed without a program in PATH. */
  readonly isHere?: (place: Place) => boolean;
  /** The settings that its gate needs. @throws SettingsUnusable */
  readonly settings: (place: Place, program: string | null) => Promise<readonly SettingsFile[]>;
  /** Faults of the surroundings, outside the settings, by which the gate does not hold. */
  readonly gaps: (place: Place) => readonly string[];
  /** The keys that it would send in place of that in its environment; none by default. */
  readonly ownKeys?: (place: Place) => readonly OwnKey[];
  /** The call of the scripted model that runs a command. */
  readonly call: (command: string) => Block;
  readonly canary: (place: Place, canary: Canary) => CanaryStart;
  /** The cases in which it runs a tool although its gate failed; null: it fails closed. `npm run test:agents` measures it. */
  readonly opensIf: string | null;
  /** The first version for which that holds, and the cases of earlier ones. */
  readonly since?: { readonly version: string; readonly earlierOpensIf: string };
  /** A fact that a person must know beside it; null if there is none. */
  readonly note: string | null;
}

export const PROMPT = 'This is the canary of countersign connect: call the tool.';
/** Seconds that operators have, and seconds after which the agent gives its hook up. */
export const WAIT_SECONDS = 1830;
export const HOOK_SECONDS = 1860;

/** The environment without these variables, and with those. */
export function environment(
  env: NodeJS.ProcessEnv,
  without: readonly string[],
  more: Readonly<Record<string, string>>,
): NodeJS.ProcessEnv {
  const kept = Object.fromEntries(Object.entries(env).filter(([name]) => !without.includes(name)));
  return { ...kept, ...more };
}

/** A word of a POSIX shell. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/** The command of a hook; it blocks also where it cannot be started. */
export const hookCommandOf = (place: Place, form: string): string =>
  `${[...place.self, 'hook', form, '--url', place.url, '--wait', '1800'].map(quoted).join(' ')} || exit 2`;

/** True for the command of a hook of ours, whatever its path, address and wait are. */
export const isHookCommand = (command: unknown, form: string): boolean =>
  typeof command === 'string' && /countersign/.test(command) && command.includes(` hook ${form} `);
