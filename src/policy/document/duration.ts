const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** Reads a duration such as `90s`, `30m` or `2h`; null if it is not one. */
export function durationMs(text: string): number | null {
  const [, digits, unit = ''] = /^([1-9]\d{0,5})([smh])$/.exec(text) ?? [];
  const ms = UNITS[unit];
  return ms === undefined ? null : Number(digits) * ms;
}
