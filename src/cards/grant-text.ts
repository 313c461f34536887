import type { Actor } from '../kernel/actor';
import { beginning } from './excerpt';
import { span, utc } from './moments';
import { bold, code, join, rich, words, type RichText } from './rich-text';
import { shortId } from './short-id';
import { visibleLine } from './visible-text/visible-text';
import { who } from './who';

/** Grants on one message of `/grants`. */
export const GRANTS_SHOWN = 8;

const MAX_SCOPE_LENGTH = 200;
/** The words of a scope. */
export const scopeOf = (scope: string): RichText => code(beginning(visibleLine(scope), MAX_SCOPE_LENGTH));

/** The requests of a key to which a grant is bound. `cwd` null: those of one session. */
export const placeOf = (cwd: string | null): RichText =>
  cwd === null ? words('its session') : rich`any session in ${scopeOf(cwd)}`;

/** The scopes that an operator may grant from a card; the buttons below name their numbers. */
export function renderGrantOffers(
  offers: readonly { readonly words: string; readonly covered: number }[],
): RichText {
  return join(
    [
      rich`⏱ ${bold('Approve this, and the next ones like it?')}`,
      ...offers.map(
        ({ words: scope, covered }, nth) => rich`${nth + 1}. ${scopeOf(scope)} – ${words(coverage(covered))}`,
      ),
      'For this session and agent only. It ends sooner with a rejection, another policy, or Revoke.',
    ],
    '\n',
  );
}

/** The offers of a request that has ended. */
export const renderOffersEnded = (): RichText => words('⏱ Not offered any more: the request has ended.');

/** The offer to an operator whose approval came too late. */
export function renderLateOffer(): RichText {
  return join(
    [
      rich`⏱ ${bold('Allow it once, if the agent asks again?')}`,
      'Nobody waits for this approval any more. The next request for exactly this action within an hour is then approved, once.',
    ],
    '\n',
  );
}

const coverage = (covered: number): string =>
  covered === 0 ? 'covers none of the last 7 days' : `would have covered ${covered} of the last 7 days`;

interface Made {
  readonly scope: string;
  readonly by: Actor;
  readonly expiresAt: Date;
  /** Null: as many as there is time for. */
  readonly usesLeft: number | null;
}

/** The offers, once a grant was made from them. */
export function renderGranted({ scope, by, expiresAt, usesLeft }: Made): RichText {
  const uses = usesLeft === null ? '' : `, ${usesLeft} use${usesLeft === 1 ? '' : 's'} left`;
  return join(
    [
      rich`⏱ ${bold('Granted')}: ${scopeOf(scope)}`,
      rich`By ${who(by)}, until ${words(utc(expiresAt))}${words(uses)}`,
    ],
    '\n',
  );
}

/** The message of a grant that ended by a tap. */
export function renderRevoked(id: string, by: Actor): RichText {
  return rich`⏱ ${bold('Revoked')}: grant ${shortId(id)}, by ${who(by)}`;
}

interface OpenGrant extends Made {
  readonly id: string;
  readonly key: string;
  readonly cwd: string | null;
  readonly uses: number;
}

/** Answer to `/grants`. */
export function renderGrants(grants: readonly OpenGrant[], now: Date): RichText {
  if (grants.length === 0) return words('⏱ No grant is open.');
  const more = grants.length - GRANTS_SHOWN;
  return join(
    [
      rich`⏱ ${bold(`${grants.length} open grant${grants.length === 1 ? '' : 's'}`)}`,
      ...grants.slice(0, GRANTS_SHOWN).map(({ id, scope, key, cwd, uses, usesLeft, by, expiresAt }) => {
        const left = usesLeft === null ? '' : `, ${usesLeft} left`;
        const time = span(now.getTime(), expiresAt.getTime());
        return rich`${shortId(id)} ${scopeOf(scope)} – key ${visibleLine(key)}, ${placeOf(cwd)}, by ${who(by)}, used ${uses} times${words(left)}, ends in ${words(time)}`;
      }),
      ...(more > 0 ? [`… and ${more} more: countersign grants list`] : []),
    ],
    '\n',
  );
}
