import type { Rule } from '../document/policy-schema';

/** An entry of another tool's settings that has no exact translation, or none that is safe. */
export interface LeftOut {
  /** The line of the entry, from 1. */
  readonly line: number;
  readonly entry: string;
  readonly reason: string;
}

export interface Imported {
  readonly rules: readonly Rule[];
  readonly leftOut: readonly LeftOut[];
}

/** The matchers of a rule, or the reason why there is none. */
export type Translation = Pick<Rule, 'match' | 'say'> | { readonly reason: string };

export type Decision = Rule['decision'];

export interface ImportOptions {
  /** The API keys that the rules which allow are for; "*" is every agent of this installation. */
  readonly key: string;
  /** The directory of the project, absolute; null if it is not known. */
  readonly root: string | null;
}
