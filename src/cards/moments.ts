import { relativeTime, type RichText } from './rich-text';

/** The moment to the second in UTC: `2026-08-01 12:30:00 UTC`. */
export function utc(moment: Date): string {
  return `${moment.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** The minute in UTC, with the date unless it is the day of the other moment: `12:30 UTC`. */
export function utcMinute(moment: Date, other: Date): string {
  const [date, time] = [moment.toISOString().slice(0, 10), moment.toISOString().slice(11, 16)];
  return date === other.toISOString().slice(0, 10) ? `${time} UTC` : `${date} ${time} UTC`;
}

/** The minute of the day in UTC, without the zone: `12:30`. */
export const clockTime = (moment: Date): string => moment.toISOString().slice(11, 16);

/** A length of time in at most two units: `45 s`, `30 min`, `9 min 30 s`, `2 h 5 min`. Never negative. */
export function span(fromMs: number, toMs: number): string {
  const seconds = Math.max(0, Math.round((toMs - fromMs) / 1000));
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) return `${seconds} s`;
  if (minutes < 60) return two(`${minutes} min`, seconds % 60, 's');
  return two(`${Math.floor(minutes / 60)} h`, minutes % 60, 'min');
}

/** `in 5 min`, which the client keeps up to date; if it cannot, the value when the message was rendered. */
export function timeLeft(expiresAt: Date, now: Date): RichText {
  return relativeTime(expiresAt, `in ${span(now.getTime(), expiresAt.getTime())}`);
}

function two(first: string, count: number, unit: string): string {
  return count === 0 ? first : `${first} ${count} ${unit}`;
}
