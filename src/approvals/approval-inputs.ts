import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { assertionSchema, nonceSchema } from '../people/passkeys/webauthn-shapes';
import { ACKNOWLEDGEMENTS } from './approval';
import { jsonObjectSchema } from '../kernel/json-object';
import { answersSchema } from './approval-view';

/** Longest wait of one call, in seconds: under the 60 s at which common proxies give up. */
export const MAX_WAIT_SECONDS = 55;

const label = z.string().min(1, 'must not be empty').max(200, 'must have at most 200 characters');
const reason = z
  .string()
  .min(1, 'must not be empty')
  .max(1000, 'must have at most 1000 characters')
  .nullish();
export const shownDigest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hex digits')
  .nullish()
  .meta({
    description:
      'The `displayDigest` of GET /api/approvals/:id/display, if the person decides over that. The console must send it.',
  });
const seconds = z
  .string()
  .regex(/^\d{1,2}$/, `must be a whole number of seconds from 0 to ${MAX_WAIT_SECONDS}`)
  .transform(Number)
  .refine((value) => value <= MAX_WAIT_SECONDS, `must be at most ${MAX_WAIT_SECONDS} seconds`)
  .default(0);

export class EnqueueBodyDto extends createZodDto(
  z.strictObject({
    agentId: label.meta({ description: 'What the caller calls itself; a label, never a right.' }),
    sessionId: label,
    toolName: label,
    toolInput: jsonObjectSchema,
    toolUseId: label.nullish(),
    summary: z.string().min(1, 'must not be empty').max(2000, 'must have at most 2000 characters').nullish(),
    cwd: z.string().min(1, 'must not be empty').max(4096, 'must have at most 4096 characters').nullish(),
    timeoutSeconds: z.int('must be a whole number of seconds').min(1, 'must be at least 1').nullish().meta({
      description: 'At most APPROVAL_MAX_TIMEOUT_MINUTES; default APPROVAL_DEFAULT_TIMEOUT_MINUTES.',
    }),
    metadata: jsonObjectSchema.nullish(),
  }),
) {}

export class DecisionBodyDto extends createZodDto(
  z.strictObject({
    decision: z.enum(['approved', 'rejected'], 'must be approved or rejected'),
    reason,
    displayDigest: shownDigest,
    assertion: assertionSchema.extend({ nonce: nonceSchema }).nullish().meta({
      description:
        'The signature of the person’s passkey over this decision: see GET /api/approvals/:id/challenge.',
    }),
    answers: answersSchema.nullish().meta({
      description: 'Answers to a question, by its text: labels of options, or own words. They approve it.',
    }),
  }),
) {}

export class CancelBodyDto extends createZodDto(z.strictObject({ reason }).default({})) {}

export class ErasureBodyDto extends createZodDto(
  z.strictObject({
    reason: z
      .string('is required: the audit log keeps it')
      .min(1, 'must not be empty: the audit log keeps it')
      .max(1000, 'must have at most 1000 characters')
      .meta({ description: 'Do not repeat the input here: the audit log keeps it.' }),
  }),
) {}

/** A week is the longest timeout of a class. */
const MAX_EXTENSION_SECONDS = 7 * 24 * 3600;

export class ExtensionBodyDto extends createZodDto(
  z.strictObject({
    seconds: z
      .int('must be a whole number of seconds')
      .min(1, 'must be at least 1')
      .max(MAX_EXTENSION_SECONDS, `must be at most ${MAX_EXTENSION_SECONDS}`)
      .meta({ description: 'Added to `expiresAt`.' }),
  }),
) {}

export class AcknowledgementBodyDto extends createZodDto(
  z.strictObject({
    outcome: z.enum(ACKNOWLEDGEMENTS, `must be one of ${ACKNOWLEDGEMENTS.join(', ')}`),
  }),
) {}

export class WaitQueryDto extends createZodDto(z.strictObject({ wait: seconds })) {}

export class EnqueueQueryDto extends createZodDto(
  z.strictObject({
    wait: seconds,
    ifRuled: z
      .enum(['true', 'false'], 'must be true or false')
      .default('false')
      .transform((text) => text === 'true'),
  }),
) {}

export class IdParamDto extends createZodDto(z.strictObject({ id: z.guid('must be a UUID') })) {}

const time = z.iso
  .datetime({ offset: true, error: 'must be a time such as 2026-08-01T00:00:00Z' })
  .transform((text) => new Date(text))
  .optional();

/** Filters for operators. */
const search = {
  q: z
    .string()
    .max(200, 'must have at most 200 characters')
    .regex(/[\p{L}\p{N}]/u, 'must have a letter or a digit')
    .optional()
    .meta({ description: 'Words, or their beginnings, in the first 16 KiB of the request.' }),
  tool: label.optional(),
  rule: label.optional().meta({ description: 'Id of a rule that the verdict of the policy names.' }),
  person: label.optional().meta({ description: 'Name or id of the person who settled it.' }),
  from: time,
  to: time,
};

export class ListQueryDto extends createZodDto(
  z.strictObject({
    status: z
      .enum(
        ['pending', 'approved', 'rejected', 'expired', 'cancelled'],
        'must be pending, approved, rejected, expired or cancelled',
      )
      .optional(),
    agentId: label.optional(),
    sessionId: label.optional(),
    ...search,
    limit: z
      .string()
      .regex(/^\d{1,3}$/, 'must be a whole number from 1 to 200')
      .transform(Number)
      .refine((value) => value >= 1 && value <= 200, 'must be from 1 to 200')
      .default(50),
    cursor: z.guid('must be the nextCursor of an earlier answer').optional(),
  }),
) {}

export class ExportQueryDto extends createZodDto(
  ListQueryDto.schema
    .omit({ limit: true, cursor: true })
    .extend({ format: z.enum(['jsonl', 'csv'], 'must be jsonl or csv').default('jsonl') }),
) {}

export const idempotencyKeySchema = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters without spaces');
