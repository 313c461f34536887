import { z } from 'zod';
import type { KeySet } from '../receipts/key-set';
import { verifySignature } from '../receipts/verify-signature';
import { CHECKPOINT_TYPE } from './seal';

export const checkpointSchema = z.strictObject({
  iss: z.literal('countersign'),
  /** Number of the last seal at that time. */
  number: z.int().min(1),
  /** Number of the row under that seal. */
  seq: z.int(),
  hash: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  /** Seconds since 1970. */
  iat: z.int(),
});

/**
 * States the end of the log at a time. Once it is outside the database, the rows that it covers cannot be rewritten
 * unnoticed.
 */
export type Checkpoint = z.infer<typeof checkpointSchema>;

const lineSchema = z.object({ checkpoint: z.string() });

/** One line of a file of checkpoints. */
export function checkpointLine(jws: string): string {
  return `${JSON.stringify({ checkpoint: jws })}\n`;
}

/** The checkpoints in a file; skips other lines, such as one that a crash cut short. */
export function checkpointLines(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const parsed = lineSchema.safeParse(jsonOf(line));
    return parsed.success ? [parsed.data.checkpoint] : [];
  });
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null; // no checkpoint either
  }
}

/** @throws SignatureRefused, or ZodError, for text that is not a checkpoint signed by one of the keys. */
export async function readCheckpoint(jws: string, keys: KeySet): Promise<Checkpoint> {
  return checkpointSchema.parse(await verifySignature(jws, CHECKPOINT_TYPE, keys));
}
