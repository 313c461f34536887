import type { EarlierRequest } from '../approvals/approval';
import { titleOf } from './card-body';
import { bold, rich, words, type RichText } from './rich-text';
import { nameOf } from './titles';

const SIGNS = { pending: '⏳', approved: '✅', rejected: '❌', expired: '⌛', cancelled: '🚫' } as const;

/** Lines about the requests that led to another one, the oldest first; empty without any. */
export function renderEarlier(earlier: readonly EarlierRequest[]): RichText[] {
  if (earlier.length === 0) return [];
  return [rich`${bold('What led to it')}:`, ...earlier.toReversed().map(renderOne)];
}

function renderOne({ request, status, acknowledged, rule }: EarlierRequest): RichText {
  const title =
    request === null ? words('a large request') : titleOf(request, { cwd: request.cwd, places: null });
  const by = rule === null ? words('') : rich`, by rule ${nameOf(rule)}`;
  const result = acknowledged === 'ran' || acknowledged === 'failed' ? `, ${acknowledged}` : '';
  return rich`${words(SIGNS[status])} ${title}: ${words(status)}${by}${words(result)}`;
}
