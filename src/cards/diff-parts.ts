import type { ActionPart, DiffPart } from './action-part';
import { CRLF } from './action-parts';
import type { Steps } from '../kernel/steps';
import { diffLines, writeRows, type DiffRow } from './line-diff';

/** The parts as a card shows them, and the number of places that the edits change. */
export interface ShownParts {
  readonly parts: readonly ActionPart[];
  readonly places: number | null;
}

/**
 * The parts as a card shows them: the texts before and after the edits become one diff, unless they are too long or too
 * different to compare. Each edit is a step.
 */
export function* makeDiffParts(parts: readonly ActionPart[]): Steps<ShownParts> {
  const first = parts.findIndex(({ edit }) => edit !== undefined);
  if (first === -1) return { parts, places: null };
  const rows: DiffRow[] = [];
  let [places, paintingMarks, end] = [0, 0, first];
  for (; parts[end]?.edit; end += 2) {
    const [before, after] = [parts[end], parts[end + 1]];
    const diff = before && after ? diffLines(before.shown, after.shown) : null;
    yield;
    if (!before?.edit || !after || !diff) return { parts, places: null };
    const crlf = before.endsInCrlf ? [CRLF] : [];
    const heading = [...(before.edit.heading === '' ? [] : [before.edit.heading]), ...crlf].join(', ');
    if (heading !== '') rows.push(['@', heading]);
    rows.push(...diff.rows);
    places += diff.places;
    paintingMarks += before.paintingMarks + after.paintingMarks;
  }
  const shown = writeRows(rows);
  const diff: DiffPart = {
    label: 'Change',
    layout: 'block',
    language: 'diff',
    shown,
    lines: rows.length,
    paintingMarks,
    rows,
  };
  return { parts: [...parts.slice(0, first), diff, ...parts.slice(end)], places };
}
