import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import type { JsonObject } from '../kernel/json';
import { nullableText } from '../kernel/nullable-text';
import { POLICY_DECISIONS } from '../kernel/policy-verdict';

const version = z.string().meta({ example: 'sha256:…' });
const anyObject = z.looseObject({}) as unknown as z.ZodType<JsonObject, JsonObject>;

const stopped = z
  .strictObject({ at: z.iso.datetime(), by: z.string() })
  .nullable()
  .meta({ description: 'Set while a person has suspended the rules that allow.' });

export class PolicyView extends createZodDto(
  z.strictObject({
    version: nullableText('The active version; null: no policy was applied.'),
    source: nullableText('The document as it was applied, with its comments.'),
    document: anyObject.nullable(),
    appliedAt: z.iso.datetime().nullable(),
    by: nullableText('The actor who applied it.'),
    stopped,
    mayChange: z.boolean().meta({ description: 'True if the caller may apply, roll back and resume.' }),
  }),
) {}

export class VersionView extends createZodDto(
  z.strictObject({ version, source: z.string(), document: anyObject, createdAt: z.iso.datetime() }),
) {}

export class AppliedView extends createZodDto(
  z.strictObject({ version, appliedAt: z.iso.datetime(), by: z.string() }),
) {}

export class HistoryView extends createZodDto(
  z.strictObject({
    items: z.array(
      z.strictObject({
        version,
        cause: z.enum(['apply', 'rollback', 'file']),
        by: z.string(),
        appliedAt: z.iso.datetime(),
      }),
    ),
  }),
) {}

export const findingSchema = z.strictObject({
  severity: z.enum(['error', 'warning']),
  line: z.int().meta({ description: 'From 1.' }),
  column: z.int().meta({ description: 'From 1.' }),
  length: z.int(),
  rule: nullableText('Id of the rule.'),
  message: z.string(),
  fix: z.string(),
});

export class CheckView extends createZodDto(
  z.strictObject({ ok: z.boolean(), findings: z.array(findingSchema) }),
) {}

const proposal = z.strictObject({
  id: z.uuid(),
  version,
  replaces: nullableText('The version that it shall replace.'),
  proposedBy: z.string(),
  owner: nullableText('Owner of the proposing key.'),
  createdAt: z.iso.datetime(),
});

export class ProposalView extends createZodDto(proposal) {}
export class ProposalsView extends createZodDto(z.strictObject({ items: z.array(proposal) })) {}

export class StopView extends createZodDto(z.strictObject({ stopped: z.boolean() })) {}

export class EvaluateBodyDto extends createZodDto(
  z.strictObject({
    agentId: z.string(),
    toolName: z.string(),
    toolInput: anyObject,
    sessionId: z.string().optional(),
    cwd: nullableText('Working directory of the agent.').optional(),
    metadata: anyObject.nullish(),
    key: z.string().optional().meta({ description: 'Name of the API key that would ask.' }),
    owner: nullableText('Owner of that key.').optional(),
    connector: z.string().optional().meta({ description: 'Way in which it would ask; `rest` by default.' }),
    mode: nullableText('Permission mode of the agent.').optional(),
  }),
) {}

export class EvaluationView extends createZodDto(
  z.strictObject({
    decision: z.enum(POLICY_DECISIONS),
    rules: z.array(z.string()),
    class: nullableText('Class of a request that a person is asked about.'),
    doubt: nullableText('Why a person is asked although a rule might have answered.'),
    version: nullableText('The version that judged; null: there is no policy.'),
    tokens: z.array(z.string()).optional(),
    say: nullableText('Words of a denial for the agent.').optional(),
    shadow: z
      .strictObject({ decision: z.enum(POLICY_DECISIONS), rules: z.array(z.string()) })
      .nullish()
      .meta({ description: 'The verdict if rules in shadow mode were enforced; null: the same.' }),
  }),
) {}

const count = z.int().min(0);

export class ReplayView extends createZodDto(
  z.strictObject({
    requests: count,
    allow: count,
    deny: count,
    ask: count,
    byRule: z.record(z.string(), count).meta({ description: 'Requests that each rule decides.' }),
    regressions: z
      .array(z.strictObject({ approvalId: z.uuid(), rule: z.string(), rejectedBy: z.string() }))
      .meta({ description: 'Requests that a person rejected and the document would allow; at most 1000.' }),
  }),
) {}

export class SuggestionsView extends createZodDto(
  z.strictObject({
    approvals: count.meta({ description: 'Approvals that people gave.' }),
    allowedBefore: count.meta({ description: 'Of these, the ones that the active policy allows.' }),
    suggestions: z.array(
      z.strictObject({
        rule: anyObject,
        saves: count.meta({
          description: 'Approvals that the rule would have given, beyond those before it.',
        }),
      }),
    ),
  }),
) {}
