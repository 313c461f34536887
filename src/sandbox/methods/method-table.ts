import type { Method } from './call';
import * as edit from './edit-methods';
import * as info from './info-methods';
import * as send from './send-methods';
import * as updates from './update-methods';

/** Each of these modules exports nothing but methods, under their Bot API names. */
const METHODS: Readonly<Record<string, Method>> = { ...info, ...send, ...edit, ...updates };

const BY_LOWER_CASE = new Map(
  Object.entries(METHODS).map(([name, run]) => [name.toLowerCase(), { name, run }]),
);

/** The method with this name, in any case, as with Telegram; undefined if the sandbox does not have it. */
export function findMethod(name: string): { name: string; run: Method } | undefined {
  return BY_LOWER_CASE.get(name.toLowerCase());
}
