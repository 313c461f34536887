import type { Surroundings } from './surroundings';

export type Severity = 'error' | 'warning';

/** A problem and its remedy. */
export interface Finding {
  readonly check: string;
  /** `error`: approvals do not work, or not as documented; `warning`: they do, but an administrator should look. */
  readonly severity: Severity;
  readonly message: string;
  readonly fix: string;
}

/** Result of a check: a note for people, and its findings. */
export interface Observation {
  /** `skipped`: the check could not run; the note names the reason. */
  readonly state: 'seen' | 'skipped';
  readonly note: string;
  readonly findings: readonly Omit<Finding, 'check'>[];
}

/** One read-only check of the installation. */
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

/** Result for a missing token: the check cannot tell more, since the service may have another environment. */
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
