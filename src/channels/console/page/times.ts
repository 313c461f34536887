const SECOND_MS = 1_000;
const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const;

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const absolute = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'long' });

/** “3 minutes ago”, from the viewer's clock. */
export function relativeTo(at: Date, now: number): string {
  const distance = at.getTime() - now;
  for (const [unit, ms] of UNITS)
    if (Math.abs(distance) >= ms) return relative.format(Math.trunc(distance / ms), unit);
  return Math.abs(distance) < 10 * SECOND_MS
    ? 'just now'
    : relative.format(Math.trunc(distance / SECOND_MS), 'second');
}

/** Date and time in the viewer's zone. */
export const absoluteOf = (at: Date): string => absolute.format(at);

/** “4 s”, “12 min”, “1.5 h”: a length of time in few characters. */
export function spanOf(seconds: number): string {
  const short = (value: number) => String(Number(value.toPrecision(2)));
  if (seconds < 60) return `${short(seconds)} s`;
  return seconds < 3600 ? `${short(seconds / 60)} min` : `${short(seconds / 3600)} h`;
}

/** “12:05”, “1:02:05”: the time that is left. */
export function countdown(leftMs: number): string {
  const seconds = Math.max(0, Math.ceil(leftMs / SECOND_MS));
  const two = (value: number) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
