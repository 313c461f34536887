import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import type { PendingApproval } from '../../approvals/approval';
import { actionLine } from '../../cards/action-parts';
import { askerOf } from '../../cards/asker';
import { titleOf } from '../../cards/card-body';
import { visibleLine } from '../../cards/visible-text/visible-text';
import { nameOfClaimer } from '../../kernel/claim';
import { nullableText } from '../../kernel/nullable-text';

const LINE_LENGTH = 160;

/** A pending request as a line of the inbox; all texts are visible ones. */
export class InboxItemView extends createZodDto(
  z.strictObject({
    id: z.uuid(),
    title: z.string(),
    line: z.string().meta({ description: 'The beginning of the action; do not decide from it.' }),
    tool: z.string(),
    agent: z.string(),
    asker: z.string(),
    session: z.string(),
    class: nullableText('Class of the policy.'),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime(),
    claim: z
      .strictObject({ kind: z.enum(['claimed', 'snoozed']), who: z.string(), until: z.iso.datetime() })
      .nullable()
      .meta({
        description: 'The person who is on it, or comes back to it, until then. Null: nobody has said so.',
      }),
  }),
) {}

export type InboxItem = z.infer<typeof InboxItemView.schema>;

export function inboxItemOf(request: PendingApproval): InboxItem {
  const { id, toolName, toolInput, cwd, policy, createdAt, expiresAt, claim } = request;
  return {
    id,
    title: titleOf(request, { cwd, places: null }).text,
    line: actionLine(toolName, toolInput, LINE_LENGTH),
    tool: visibleLine(toolName),
    agent: visibleLine(request.agentId),
    asker: askerOf(request),
    session: visibleLine(request.sessionId),
    class: policy?.class ?? null,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    claim: claim
      ? { kind: claim.kind, who: visibleLine(nameOfClaimer(claim)), until: claim.until.toISOString() }
      : null,
  };
}
