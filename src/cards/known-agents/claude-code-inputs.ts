import { z } from 'zod';
import type { JsonObject, JsonValue } from '../../kernel/json';
import { part, type HiddenPart, type Row } from '../action-part';

/** Question with options, as Claude Code asks it. */
const questionSchema = z.strictObject({
  question: z.string(),
  header: z.string().optional(),
  multiSelect: z.boolean().optional(),
  options: z.array(
    z.strictObject({ label: z.string(), description: z.string().optional(), preview: z.string().optional() }),
  ),
});

/** More edits than this are shown as JSON: Telegram formats at most 100 pieces of a message. */
const MAX_EDITS_SIDE_BY_SIDE = 6;

/** Old and new text of each edit; empty if there are too many edits, or one has another shape. */
export function editParts(edits: JsonValue | undefined): HiddenPart[] {
  if (!Array.isArray(edits) || edits.length > MAX_EDITS_SIDE_BY_SIDE) return [];
  const known = edits.map((edit: JsonValue) => editOf(edit)).filter((edit) => edit !== undefined);
  if (known.length < edits.length) return [];
  return known.flatMap(({ before, after, extent }, i) => [
    part({ label: `Before, edit ${i + 1} of ${known.length}${extent}`, layout: 'block' }, before),
    part({ label: `After, edit ${i + 1} of ${known.length}${extent}`, layout: 'block' }, after),
  ]);
}

/** Each question with its options; empty if there are too many, or one has another shape. */
export function questionParts(value: JsonValue | undefined): HiddenPart[] {
  if (!Array.isArray(value) || value.length > MAX_EDITS_SIDE_BY_SIDE) return [];
  const { data: questions } = questionSchema.array().safeParse(value);
  return (questions ?? []).flatMap(({ header, question, multiSelect, options }, i) => {
    const label = questions?.length === 1 ? 'Question' : `Question ${i + 1} of ${questions?.length}`;
    const choice = multiSelect ? 'Options, several may be chosen' : 'Options';
    // Each option on a separate line, so that none can imitate another.
    const lines = options.flatMap((option, n): Row[] => [
      [`${n + 1}. `, option.label],
      ...[option.description, option.preview].flatMap((text): Row[] =>
        text === undefined ? [] : [['   ', text]],
      ),
    ]);
    return [
      part({ label, layout: 'block' }, question),
      ...(header === undefined ? [] : [part({ label: 'Header', layout: 'line' }, header)]),
      { label: choice, layout: 'block' as const, value: lines },
    ];
  });
}

function editOf(edit: JsonValue): { before: string; after: string; extent: string } | undefined {
  if (typeof edit !== 'object' || edit === null) return undefined;
  const { old_string: before, new_string: after, replace_all: everywhere, ...others } = edit as JsonObject;
  if (typeof before !== 'string' || typeof after !== 'string' || Object.keys(others).length > 0)
    return undefined;
  if (everywhere === undefined) return { before, after, extent: '' };
  if (typeof everywhere !== 'boolean') return undefined;
  return { before, after, extent: everywhere ? ', every occurrence' : ', one occurrence' };
}
