import type { Refusal, SpottedBody } from './adapter';
import { ADAPTERS } from './adapters';
import type { Wanted } from './member-spotter';

/** The members of a body that determine the form of the answer, each under its path. */
export const TELLING: Wanted<string> = Object.fromEntries(
  ADAPTERS.flatMap(({ members }) => members).map((path) => [path.join('.'), path]),
);

/** Result for a body of which nothing is known. */
export const NOTHING_SPOTTED: SpottedBody = { isList: false, objects: [] };

/** The answer to refused calls, with status 200. */
export interface Denial extends Refusal {
  readonly connector: string;
}

/**
 * The path of a URL in lower case, with single-byte escapes decoded as the router decodes them. Callers of a proxy send
 * the whole URL, and the router accepts it.
 */
function pathOf(url: string): string {
  const [path = ''] = url.replace(/^https?:\/\/.*?\//i, '/').split(/[?#]/, 1);
  return path
    .replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    .toLowerCase();
}

/** Finds the name of an adapter in a path, in any spelling. */
const CONNECTORS = /^\/+connectors(?![\w-])(?:\/+([\w-]+))?/;

/** True if a refused POST to this URL may have been meant for a connector, in any spelling. */
export const mayMeanConnector = (url: string): boolean => CONNECTORS.test(pathOf(url));

/**
 * The denial for a refused POST to a connector, in the form of its agent. A mistyped address must fail closed too, so
 * where no adapter is addressed, or the addressed one does not know the body, the body determines the adapter.
 *
 * @returns null if the refusal stays an HTTP error: no caller waits for a decision, or its form is unknown.
 */
export function denialFor(url: string, body: SpottedBody, reason: string): Denial | null {
  const address = CONNECTORS.exec(pathOf(url));
  if (address === null) return null;
  const addressed = ADAPTERS.find(({ route }) => route.split('/')[0] === address[1]);
  for (const adapter of addressed ? [addressed, ...ADAPTERS] : ADAPTERS) {
    const refusal = adapter.refuse(body, reason, adapter === addressed);
    if (refusal !== null) return { connector: adapter.connector, ...refusal };
  }
  return null;
}
