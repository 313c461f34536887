import { z } from 'zod';
import { nullableText } from '../kernel/nullable-text';

const columns = {
  seq: z.int(),
  at: z.string().meta({ format: 'date-time' }),
  type: z.string(),
  actor: z.string(),
  approvalId: z.uuid().nullable(),
  correlationId: nullableText('Correlation id of the cause.'),
};
const nextAfter = z.int().nullable();

const shownRows = z.array(
  z.strictObject({
    ...columns,
    data: z.unknown(),
    hash: nullableText('Hash of its seal; null until the row is sealed.'),
  }),
);

/** For display: data as JSON; `hash` is null until the row is sealed. */
export const auditPageSchema = z.strictObject({ items: shownRows, nextAfter });

export const auditFoundSchema = z.strictObject({
  items: shownRows,
  nextBefore: z.int().nullable().meta({
    description: 'Send it as `before` to go on, also after a page without rows; null at the end.',
  }),
});

/** For verification: every column exactly as stored, under its seal. */
export const sealedRowSchema = z.strictObject({
  seal: z.strictObject({ number: z.int(), seq: z.int(), previous: z.string(), hash: z.string() }),
  row: z.strictObject({ ...columns, data: z.string() }).nullable(),
});

export const sealedPageSchema = z.strictObject({
  items: z.array(sealedRowSchema),
  nextAfter,
  unsealed: z.int().nullable(),
});

export const verifiedSchema = z.strictObject({
  ok: z.boolean(),
  rows: z.int(),
  sealedUpTo: z.int().nullable(),
  checkpoints: z.int(),
  uncovered: z.int(),
  unsealed: z.int(),
  firstBad: z.strictObject({ seq: z.int(), reason: z.string() }).nullable(),
});

export const checkpointSchema = z.strictObject({
  checkpoint: nullableText('Compact JWS; null while nothing is sealed.'),
});
export const checkpointsSchema = z.strictObject({ checkpoints: z.array(z.string()) });
