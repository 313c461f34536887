import type { Surroundings } from './surroundings';

export type Severity = 'error' | 'warning';

/** Something that is wrong, and what makes it right. */
export interface Finding {
  readonly check: string;
  /** `error`: approvals do not work, or not as promised; `warning`: they do, but somebody should look. */
  readonly severity: Severity;
  readonly message: string;
  readonly fix: string;
}

/** What a check saw: a note for people, and what is wrong. */
export interface Observation {
  /** `skipped`: there was nothing to look at, and the note says why. */
  readonly state: 'seen' | 'skipped';
  readonly note: string;
  readonly findings: readonly Omit<Finding, 'check'>[];
}

/** One question to the installation. It changes nothing. */
export interface Check {
  readonly name: string;
  examine(surroundings: Surroundings): Promise<Observation>;
}

export const seen = (note: string, ...findings: Omit<Finding, 'check'>[]): Observation => ({
  state: 'seen',
  note,
  findings,
});

export const skipped = (note: string): Observation => ({ state: 'skipped', note, findings: [] });

/** Nothing more is known from here: the service may have another environment. */
export const telegramOff = skipped('not configured here (TELEGRAM_BOT_TOKEN is unset)');

export const error = (message: string, fix: string): Omit<Finding, 'check'> => ({
  severity: 'error',
  message,
  fix,
});

export const warning = (message: string, fix: string): Omit<Finding, 'check'> => ({
  severity: 'warning',
  message,
  fix,
});
