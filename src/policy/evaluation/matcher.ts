import type { Match } from '../matchers/match';
import type { Facts } from './facts';

/** A matcher of a rule. It adds to the tokens what it found, for the card. */
export type Matcher = (facts: Facts, tokens: string[]) => Match;
