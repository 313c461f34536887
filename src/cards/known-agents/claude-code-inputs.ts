import { z } from 'zod';
import type { JsonObject, JsonValue } from '../../kernel/json';
import { editParts, part, type Row } from '../action-part';
import type { Structure } from './known-agent';

/** Question with options, as Claude Code asks it. */
const questionSchema = z.strictObject({
  question: z.string(),
  header: z.string().optional(),
  multiSelect: z.boolean().optional(),
  options: z.array(
    z.strictObject({ label: z.string(), description: z.string().optional(), preview: z.string().optional() }),
  ),
});

/** More questions than this are shown as JSON: Telegram formats at most 100 pieces of a message. */
const MAX_QUESTIONS = 6;
/** More edits than this are shown as JSON: nobody reads so many on a card. */
const MAX_EDITS = 50;

/** The single edit of Claude Code's `Edit`; null if it has another shape. */
export function oneEdit(input: JsonObject): Structure | null {
  const edit = editOf(
    Object.fromEntries(
      ['old_string', 'new_string', 'replace_all'].flatMap((name) =>
        input[name] === undefined ? [] : [[name, input[name]]],
      ),
    ),
  );
  if (edit === null) return null;
  // That one occurrence is meant is the rule, and not worth a word above the lines.
  const heading = edit.extent === ONE ? '' : edit.extent;
  return {
    members: ['old_string', 'new_string', ...(heading === '' ? [] : ['replace_all'])],
    parts: editParts(
      [withExtent('Before', heading), withExtent('After', heading)],
      [edit.before, edit.after],
      {
        heading,
      },
    ),
  };
}

/** Every edit of `MultiEdit`; null if there are too many, or one has another shape. */
export function manyEdits({ edits }: JsonObject): Structure | null {
  if (!Array.isArray(edits) || edits.length === 0 || edits.length > MAX_EDITS) return null;
  const known = edits.map((edit: JsonValue) => editOf(edit)).filter((edit) => edit !== null);
  if (known.length < edits.length) return null;
  return {
    members: ['edits'],
    parts: known.flatMap(({ before, after, extent }, i) => {
      const heading = withExtent(`edit ${i + 1} of ${known.length}`, extent);
      return editParts([`Before, ${heading}`, `After, ${heading}`], [before, after], { heading });
    }),
  };
}

/** Each question with its options; null if there are too many, or one has another shape. */
export function questionParts({ questions: value }: JsonObject): Structure | null {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_QUESTIONS) return null;
  const { data: questions } = questionSchema.array().safeParse(value);
  if (!questions) return null;
  const parts = questions.flatMap(({ header, question, multiSelect, options }, i) => {
    const label = questions.length === 1 ? 'Question' : `Question ${i + 1} of ${questions.length}`;
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
  return { members: ['questions'], parts };
}

const EVERY = 'every occurrence';
const ONE = 'one occurrence';

function withExtent(label: string, extent: string): string {
  return extent === '' ? label : `${label}, ${extent}`;
}

function editOf(edit: JsonValue): { before: string; after: string; extent: string } | null {
  if (typeof edit !== 'object' || edit === null) return null;
  const { old_string: before, new_string: after, replace_all: everywhere, ...others } = edit as JsonObject;
  if (typeof before !== 'string' || typeof after !== 'string' || Object.keys(others).length > 0) return null;
  if (everywhere === undefined) return { before, after, extent: '' };
  return typeof everywhere === 'boolean' ? { before, after, extent: everywhere ? EVERY : ONE } : null;
}
