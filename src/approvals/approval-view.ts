import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { jsonObjectSchema } from '../kernel/json-object';
import type { ClaimKind } from '../kernel/claim';
import { POLICY_DECISIONS, type PolicyVerdict } from '../kernel/policy-verdict';
import type { Answers } from '../kernel/questions';
import { nullableText } from '../kernel/nullable-text';
import { ACKNOWLEDGEMENTS, isSettled, type Approval } from './approval';
import type { PersonsDecision, Requirement } from '../kernel/requirement';
import { ACTOR_KINDS, nameActor } from '../kernel/actor';

/** Answers as a caller sends and reads them; the questions of the request say which are valid. */
export const answersSchema = z.record(z.string(), z.array(z.string()));

const answersViewOf = (answers: Answers | undefined) =>
  answers && {
    answers: Object.fromEntries(Object.entries(answers).map(([question, given]) => [question, [...given]])),
  };

const actor = z.strictObject({ kind: z.enum(ACTOR_KINDS), id: z.string(), name: z.string() });

const who = {
  by: actor,
  person: nullableText('Name of the person in the policy.'),
  at: z.iso.datetime(),
};
const claim = { ...who, until: z.iso.datetime() };

export const approvalViewSchema = z.strictObject({
  id: z.uuid(),
  status: z.enum(['pending', 'approved', 'rejected', 'expired', 'cancelled']),
  requestedBy: z
    .strictObject({ key: z.string(), owner: nullableText('Owner of the key.') })
    .meta({ description: 'The authenticated API key, and its owner when it asked.' }),
  agentId: z.string().meta({ description: 'What the caller calls itself; a label, never a right.' }),
  sessionId: z.string(),
  toolName: z.string(),
  toolInput: jsonObjectSchema,
  toolUseId: nullableText('Id that the agent gave the call.'),
  summary: nullableText('Summary by the agent.'),
  cwd: nullableText('Working directory of the agent.'),
  metadata: jsonObjectSchema,
  inputDigest: z.string().meta({ example: 'sha256:…' }),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  settledAt: z.iso.datetime().nullable(),
  decision: z
    .strictObject({
      by: actor,
      reason: nullableText('Reason of the operator.'),
      answers: answersSchema
        .optional()
        .meta({ description: 'Answers by the text of their question; missing where none was answered.' }),
    })
    .nullable(),
  reason: nullableText('Reason of a cancellation.'),
  acknowledged: z.enum(ACKNOWLEDGEMENTS).nullable(),
  receipt: nullableText('Compact JWS, once settled.'),
  policy: z
    .strictObject({
      version: z.string(),
      decision: z.enum(POLICY_DECISIONS),
      rules: z.array(z.string()),
      class: nullableText('Class of a request that a person is asked about.'),
      doubt: nullableText('Why a person is asked although a rule might have answered.'),
      tokens: z.array(z.string()).meta({ description: 'The words of the command that matched.' }),
      shadow: z
        .strictObject({ decision: z.enum(POLICY_DECISIONS), rules: z.array(z.string()) })
        .nullable()
        .meta({ description: 'The verdict if rules in shadow mode were enforced; null: the same.' }),
    })
    .nullable()
    .meta({ description: 'Verdict of the policy; null: none was active.' }),
  required: z
    .strictObject({
      approvals: z.int().meta({ description: 'Number of different people who must approve.' }),
      rejections: z.int().meta({ description: 'Number of different people whose rejection ends it.' }),
      from: z.array(z.array(z.string())).meta({
        description:
          'Whoever decides is in a group of each of these lists; none: every operator, or everybody whom the policy names.',
      }),
      via: z.enum(['any', 'console']).meta({
        description: '`console`: an approval needs the signature of the person’s passkey, in the console.',
      }),
      reason: z
        .enum(['optional', 'required'])
        .meta({ description: 'Whether every decision must give its reason.' }),
    })
    .meta({ description: 'The decisions that it needs.' }),
  decisions: z
    .array(
      z.strictObject({
        by: actor,
        verdict: z.enum(['approved', 'rejected']),
        reason: nullableText('Reason of this person.'),
        at: z.iso.datetime(),
        via: z.enum(ACTOR_KINDS),
        displayDigest: nullableText('Digest of the card or page that this person saw.'),
        passkey: nullableText('The passkey that signed it; null: none has.'),
      }),
    )
    .meta({ description: 'The decisions of people, the earliest first.' }),
  claimedBy: z.strictObject(claim).nullable().meta({
    description:
      'The person who is on it, or was last; `until` may have passed. It decides nothing. Null: nobody has claimed it.',
  }),
  snoozedBy: z
    .strictObject(claim)
    .nullable()
    .meta({ description: 'The person who comes back to it at `until`, where that came last.' }),
  extendedBy: z
    .strictObject(who)
    .nullable()
    .meta({ description: 'The person who gave it more time last; `expiresAt` has it.' }),
  inputErased: z.strictObject({ by: actor, at: z.iso.datetime(), reason: z.string() }).nullable().meta({
    description:
      'An admin has erased what the agent wrote: `toolInput` and `metadata` are empty, `summary` and `cwd` null. Digest and receipt are those of the request. Null: nobody has.',
  }),
});

const ONE_OF_ANY: Requirement = { approvals: 1, rejections: 1, from: [] };

function decisionViewOf({ by, verdict, reason, at, displayDigest, signed }: PersonsDecision) {
  return {
    by,
    verdict,
    reason,
    at: at.toISOString(),
    via: by.kind,
    displayDigest,
    passkey: signed?.credentialId ?? null,
  };
}

function policyViewOf({ version, decision, rules, class: name, doubt, tokens, shadow }: PolicyVerdict) {
  const inShadow = shadow && { decision: shadow.decision, rules: [...shadow.rules] };
  return {
    version,
    decision,
    rules: [...rules],
    class: name,
    doubt: doubt?.words ?? null,
    tokens: [...tokens],
    shadow: inShadow,
  };
}

function requirementViewOf({ required, policy }: Approval) {
  const { approvals, rejections, from, via } = required ?? ONE_OF_ANY;
  const reason = policy?.needsReason ? ('required' as const) : ('optional' as const);
  return {
    approvals,
    rejections,
    from: from.map((groups) => [...groups]),
    via: via ?? ('any' as const),
    reason,
  };
}

function claimViewOf({ claim }: Approval, kind: ClaimKind) {
  if (claim?.kind !== kind) return null;
  const { by, person, at, until } = claim;
  return { by, person, at: at.toISOString(), until: until.toISOString() };
}

const extensionViewOf = ({ extension }: Approval) =>
  extension ? { ...extension, at: extension.at.toISOString() } : null;

const erasureViewOf = ({ erasure }: Approval) =>
  erasure ? { ...erasure, at: erasure.at.toISOString() } : null;

/** An approval in API answers. */
export class ApprovalView extends createZodDto(approvalViewSchema) {}

/** @throws Error for a settled approval without its receipt: an answer without evidence must not be sent. */
export function viewOf(approval: Approval): z.infer<typeof approvalViewSchema> {
  const settled = isSettled(approval) ? approval : null;
  if (settled && settled.receipt === null) throw new Error(`approval ${approval.id} has no receipt`);
  return {
    id: approval.id,
    status: approval.status,
    requestedBy: { key: approval.keyId, owner: approval.owner },
    agentId: approval.agentId,
    sessionId: approval.sessionId,
    toolName: approval.toolName,
    toolInput: approval.toolInput,
    toolUseId: approval.toolUseId,
    summary: approval.summary,
    cwd: approval.cwd,
    metadata: approval.metadata,
    inputDigest: approval.inputDigest,
    createdAt: approval.createdAt.toISOString(),
    expiresAt: approval.expiresAt.toISOString(),
    settledAt: settled?.settledAt.toISOString() ?? null,
    decision:
      'decision' in approval
        ? {
            by: nameActor(approval.decision.by),
            reason: approval.decision.reason,
            ...answersViewOf(approval.decision.answers),
          }
        : null,
    reason: 'reason' in approval ? approval.reason : null,
    acknowledged: settled?.acknowledged ?? null,
    receipt: settled?.receipt ?? null,
    policy: approval.policy && policyViewOf(approval.policy),
    required: requirementViewOf(approval),
    decisions: approval.decisions.map(decisionViewOf),
    claimedBy: claimViewOf(approval, 'claimed'),
    snoozedBy: claimViewOf(approval, 'snoozed'),
    extendedBy: extensionViewOf(approval),
    inputErased: erasureViewOf(approval),
  };
}

export class ApprovalPageView extends createZodDto(
  z.strictObject({
    items: z.array(approvalViewSchema),
    nextCursor: nullableText('Cursor of the next page; null on the last one.'),
  }),
) {}
