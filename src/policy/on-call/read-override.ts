import { minutesOf } from '../../people/rota';
import { durationMs } from '../document/duration';
import type { Override, OverrideEnd } from './override-rota';

/**
 * Reads `me 4h`, `sam until 18:00`, or either behind the name of a rota; null for anything else.
 *
 * @param me name of the person who writes
 */
export function readOverride(words: readonly string[], me: string): Override | null {
  const [end, rest] = endOf(words);
  const [person, rota = null, ...more] = [...rest].reverse();
  if (end === null || person === undefined || more.length > 0) return null;
  return { rota, person: person.toLowerCase() === 'me' ? me : person.toLowerCase(), end };
}

/** Reads `end`, or the name of a rota before it: the override of that rota ends. Null for anything else. */
export function readEnd(words: readonly string[]): { readonly rota: string | null } | null {
  if (words.length > 2 || words.at(-1)?.toLowerCase() !== 'end') return null;
  return { rota: words.length === 2 ? (words[0] ?? null) : null };
}

function endOf(words: readonly string[]): readonly [end: OverrideEnd | null, rest: readonly string[]] {
  const last = words.at(-1) ?? '';
  if (words.at(-2)?.toLowerCase() === 'until') {
    const minuteOfDay = minutesOf(last.padStart(5, '0'));
    return [minuteOfDay === null ? null : { minuteOfDay }, words.slice(0, -2)];
  }
  const afterMs = durationMs(last.toLowerCase());
  return [afterMs === null ? null : { afterMs }, words.slice(0, -1)];
}
