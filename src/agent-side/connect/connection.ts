import type { CountersignClient } from '../client';
import { proveByCanary, type Proof } from './canary';
import type { Place } from './connected-agent';
import type { Installed } from './installed';
import { requireInside } from './links';
import { differences, edited, textOf } from './settings-edits';

/** A settings file as it is, and as the gate needs it. */
export interface PlannedFile {
  readonly path: string;
  /** Null: there is no file. */
  readonly before: string | null;
  readonly after: string;
  /** The parts that the gate misses in it. */
  readonly differences: readonly string[];
  /** The project out of which no link may lead the path; none: links are followed. */
  readonly inside: string | undefined;
}

/** The settings of one agent: what is to be written. @throws SettingsUnusable */
export async function plan({ agent, program }: Installed, place: Place): Promise<PlannedFile[]> {
  const files = await agent.settings(place, program);
  const inside = place.scope === 'project' ? place.cwd : undefined;
  return files.map((file) => {
    const { path } = file;
    if (inside !== undefined) requireInside(inside, path);
    const before = textOf(path);
    return { path, before, after: edited(file, before), differences: differences(file, before), inside };
  });
}

export type Gate = 'fails-closed' | 'fails-open' | 'not-gated';

/** The state of one agent's gate, and its faults. */
export interface Examined {
  readonly gate: Gate;
  /** A sentence for a person. */
  readonly verdict: string;
  /** Each a sentence; none if all is in order. */
  readonly faults: readonly string[];
  readonly proof: Proof['kind'] | null;
}

/** Compares the settings, then has the agent make its canary call. */
export async function examine(
  installed: Installed,
  place: Place,
  client: CountersignClient,
): Promise<Examined> {
  const { agent, program } = installed;
  const files = await agent.settings(place, program);
  const drift = files.flatMap((file) =>
    differences(file, textOf(file.path)).map((each) => `${file.path}: ${each}`),
  );
  const faults = [...drift, ...agent.gaps(place)];
  const proof = await proveByCanary(installed, place, client);
  const failure = failureIn(proof);
  const all = failure === null ? faults : [...faults, failure];
  if (failure !== null)
    return { gate: 'not-gated', verdict: `not gated: ${all[0] ?? failure}`, faults: all, proof: proof.kind };
  const opensIf = opensIfOf(installed);
  const gate = opensIf === null ? 'fails-closed' : 'fails-open';
  const verdict = opensIf === null ? 'gated, fails closed' : `gated, but runs the tool if ${opensIf}`;
  return { gate, verdict, faults: all, proof: proof.kind };
}

/** The cases in which the installed version runs a tool although its gate failed; null: it fails closed. */
export function opensIfOf({ agent: { opensIf, since }, version }: Installed): string | null {
  const isEarlier =
    since !== undefined &&
    (version === null || version.localeCompare(since.version, 'en', { numeric: true }) < 0);
  return isEarlier ? since.earlierOpensIf : opensIf;
}

function failureIn(proof: Proof): string | null {
  switch (proof.kind) {
    case 'held':
      return null;
    case 'approved':
      return `the canary call was approved by ${proof.by}, so nothing is known of a denial`;
    case 'ran-although-denied':
      return 'the canary call was asked for and denied, and ran all the same';
    case 'ran-unasked':
      return 'the canary call ran, and nobody was asked';
    case 'not-asked':
      return `the canary call was not asked for${proof.lastWords === '' ? '' : ` (“${proof.lastWords}”)`}`;
  }
}
