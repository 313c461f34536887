import { localTime } from '../people/rota';
import type { Duty } from '../policy/on-call/duties';
import { bold, join, rich, words, type RichText } from './rich-text';
import { shorten } from './shorten';
import { visibleLine } from './visible-text/visible-text';

const MAX_MESSAGE_LENGTH = 400;

/** The words with which a person puts somebody on duty. */
const HOW =
  '/oncall me 4h, /oncall sam until 18:00, or /oncall end; with several rotas, the name of one first';

/** Answer to `/oncall`. */
export function renderOnCall(duties: readonly Duty[]): RichText {
  if (duties.length === 0) return words('📟 The active policy has no rota.');
  return join([rich`📟 ${bold('On duty')}`, ...duties.flatMap(linesOf), words(`Change it: ${HOW}`)], '\n');
}

/** Answer to an override. */
export function renderOverridden(duty: Duty): RichText {
  return join([rich`📟 ${bold('Changed')}`, ...linesOf(duty)], '\n');
}

/** Answer to words behind `/oncall` that mean nothing. */
export function renderOverrideUnclear(): RichText {
  return words(`📟 Nothing was changed. Write ${HOW}.`);
}

/** Answer to an override that was refused. */
export function renderOverrideRefused(message: string): RichText {
  return rich`📟 Nothing was changed. ${words(shorten(visibleLine(message), MAX_MESSAGE_LENGTH).text)}`;
}

/** Names and zones are of the policy, whose schema knows only letters, digits and a few signs. */
function linesOf({ rota, person, until, next, zone, override }: Duty): RichText[] {
  return [
    rich`${words(rota)}: ${bold(person)} until ${words(localTime(until, zone))}, then ${words(next)}`,
    ...(override === null ? [] : [rich`instead of the rota’s turn, by ${visibleLine(override.by)}`]),
  ];
}
