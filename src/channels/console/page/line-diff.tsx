import { structuredPatch } from 'diff';
import { visibleBlock } from '../../../cards/visible-text/visible-text';
import { Diff } from './action-parts';
import { TEXTS } from './texts';

const CONTEXT = 3;

/** The lines that differ between two texts, with some around them. */
export function LineDiff({ before, after }: { before: string; after: string }) {
  const { hunks } = structuredPatch('', '', visibleBlock(before), visibleBlock(after), '', '', {
    context: CONTEXT,
  });
  const rows = hunks.flatMap(({ oldStart, newStart, lines }, i) => [
    ...(i === 0 && oldStart === 1 ? [] : [{ mark: '@' as const, text: TEXTS.policy.from(newStart) }]),
    ...lines
      .filter((line) => !line.startsWith('\\'))
      .map((line) => ({ mark: line[0] as ' ' | '-' | '+', text: line.slice(1) })),
  ]);
  if (rows.length === 0) return <p className="hint">{TEXTS.policy.same}</p>;
  return <Diff rows={rows} />;
}
