import type { DecisionCounts } from '../kernel/announcement';
import { span } from './moments';
import { join, rich, type RichText } from './rich-text';
import { shorten } from './shorten';
import { visibleLine } from './visible-text/visible-text';

const MAX_RULE_LENGTH = 60;

/** `214 allowed by rule (project-tests 160, read-git 54), 1 denied, 9 asked: 8 approved, 1 rejected, median answer 40 s.` */
export function renderCounts(counts: DecisionCounts): RichText | null {
  const parts = [...allowed(counts), ...denied(counts), ...asked(counts)];
  return parts.length === 0 ? null : rich`${join(parts, ', ')}.`;
}

function allowed({ allowed: byRule, byGrant, rules }: DecisionCounts): (RichText | string)[] {
  const named = rules.map(({ rule, count }) => rich`${shorten(visibleLine(rule), MAX_RULE_LENGTH)} ${count}`);
  const others = byRule - rules.reduce((sum, { count }) => sum + count, 0);
  const list = join([...named, ...(others > 0 ? [`others ${others}`] : [])], ', ');
  return [
    ...(byRule > 0 ? [rich`${byRule} allowed by rule (${list})`] : []),
    ...(byGrant > 0 ? [byRule > 0 ? `${byGrant} by grant` : `${byGrant} allowed by grant`] : []),
  ];
}

const denied = (counts: DecisionCounts): string[] => (counts.denied > 0 ? [`${counts.denied} denied`] : []);

function asked({ approved, rejected, expired, cancelled, medianSeconds }: DecisionCounts): string[] {
  const total = approved + rejected + expired + cancelled;
  if (total === 0) return [];
  const endings = Object.entries({ approved, rejected, expired, cancelled }).flatMap(([ending, count]) =>
    count > 0 ? [`${count} ${ending}`] : [],
  );
  const median = medianSeconds === null ? [] : [`median answer ${span(0, medianSeconds * 1000)}`];
  return [`${total} asked: ${[...endings, ...median].join(', ')}`];
}
