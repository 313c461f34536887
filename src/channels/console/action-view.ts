import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { possibleVerdicts, type Approval, type EarlierRequest } from '../../approvals/approval';
import { makeReadingText } from '../../cards/action-document';
import type { DiffPart } from '../../cards/action-part';
import { makeActionParts, nameOfPart, noteOf } from '../../cards/action-parts';
import { makeDiffParts } from '../../cards/diff-parts';
import { runInTurns } from '../../kernel/run-in-turns';
import { askerOf, CLAIMED_AGENT } from '../../cards/asker';
import { cardContent, prepareCard, titleOf, type CardContent } from '../../cards/card-body';
import { visibleLine } from '../../cards/visible-text/visible-text';
import { who } from '../../cards/who';
import { makeDisplayDigest } from '../../cards/display-digest';
import { nullableText } from '../../kernel/nullable-text';

/** A page scrolls: the action is always shown whole, and never as a document. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

const STATUSES = ['pending', 'approved', 'rejected', 'expired', 'cancelled'] as const;

export class ActionView extends createZodDto(
  z.strictObject({
    title: z.string(),
    warnings: z.array(z.strictObject({ text: z.string() })),
    parts: z
      .array(
        z.strictObject({
          label: z.string(),
          note: z.string().meta({ description: 'Counts of the text: lines, line ends.' }),
          layout: z.enum(['line', 'block']),
          language: nullableText('Name of the language, for colours.'),
          text: z.string(),
          rows: z
            .array(z.strictObject({ mark: z.enum([' ', '-', '+', '@']), text: z.string() }))
            .nullable()
            .meta({ description: 'Lines of a change; the text of `@` is the service’s own.' }),
          isDetail: z.boolean(),
        }),
      )
      .meta({ description: 'The complete action; what cannot be seen is written `\\u{hex}`, a tab `⇥`.' }),
    fields: z.array(z.strictObject({ label: z.string(), text: z.string() })),
    earlier: z
      .array(
        z.strictObject({
          title: z.string(),
          status: z.enum(STATUSES),
          rule: nullableText('The rule that answered it.'),
        }),
      )
      .meta({ description: 'The last requests of the session before this one, the oldest first.' }),
    verdicts: z.array(z.strictObject({ verdict: z.enum(['approved', 'rejected']) })),
    outcome: z.strictObject({ by: z.string(), reason: nullableText('Reason that was given.') }).nullable(),
    mayErase: z.boolean().meta({ description: 'True if the caller may erase the input, and nobody has.' }),
    display: z.string().meta({ description: 'Everything above that a person decides from, as one text.' }),
    displayDigest: z.string().meta({ description: 'SHA-256 of `display` in UTF-8.' }),
  }),
) {}

function fieldsOf({ request, metadata }: CardContent) {
  const { agentId, sessionId, summary, cwd } = request;
  return [
    { label: CLAIMED_AGENT, text: visibleLine(agentId) },
    { label: 'Asked by', text: askerOf(request) },
    { label: 'Session', text: visibleLine(sessionId) },
    ...(cwd === null ? [] : [{ label: 'Directory', text: visibleLine(cwd) }]),
    ...(summary === null ? [] : [{ label: 'Summary by the agent', text: visibleLine(summary) }]),
    ...(metadata === null ? [] : [{ label: 'Metadata', text: metadata }]),
  ];
}

function outcomeOf(approval: Approval) {
  if (approval.status === 'pending') return null;
  const { by, reason } = 'decision' in approval ? approval.decision : approval;
  return { by: who(by).text, reason: reason && visibleLine(reason) };
}

const earlierOf = ({ request, status, rule }: EarlierRequest) => ({
  title: request === null ? 'a large request' : titleOf(request, { cwd: request.cwd, places: null }).text,
  status,
  rule: rule && visibleLine(rule),
});

/** The request as the console shows it; `display`: all that a person decides from, as one text. */
export async function showAction(approval: Approval) {
  await prepareCard(approval, NO_LIMIT);
  const content = cardContent(approval, NO_LIMIT);
  const warnings = content.warnings.map(({ text }) => text);
  // Without files beside it: here also data is text.
  const texts = await runInTurns(makeActionParts(approval.toolName, approval.toolInput));
  const reading = await runInTurns(makeReadingText(approval, content.metadata ?? '{}', texts));
  const display = `${[content.title.text, ...warnings].join('\n')}\n${reading}`;
  return { content, warnings, texts, display };
}

/** The approval as the console shows it, worked out in steps: it may be several times as long as the request. */
export async function viewAction(
  approval: Approval,
  earlier: readonly EarlierRequest[],
  isAdmin: boolean,
): Promise<z.infer<typeof ActionView.schema>> {
  const { content, warnings, texts, display } = await showAction(approval);
  const { parts } = await runInTurns(makeDiffParts(texts));
  const digest = await runInTurns(makeDisplayDigest(display));
  return {
    title: content.title.text,
    warnings: warnings.map((text) => ({ text })),
    parts: parts.map((part) => ({
      label: nameOfPart(part),
      note: noteOf(part).trim(),
      layout: part.layout,
      language: part.language ?? null,
      text: part.shown,
      rows: 'rows' in part ? (part as DiffPart).rows.map(([mark, text]) => ({ mark, text })) : null,
      isDetail: part.isDetail === true,
    })),
    fields: fieldsOf(content),
    earlier: earlier.toReversed().map(earlierOf),
    verdicts: approval.status === 'pending' ? possibleVerdicts(approval).map((verdict) => ({ verdict })) : [],
    outcome: outcomeOf(approval),
    mayErase: isAdmin && approval.status !== 'pending' && !approval.erasure,
    display,
    displayDigest: digest,
  };
}
