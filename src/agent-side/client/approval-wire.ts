import { z } from 'zod';
import type { JsonObject } from '../../kernel/json';

const jsonObject = z.custom<JsonObject>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'must be a JSON object',
);
/** `telegram`, `api`, or a kind that a later service adds. */
const actor = z.object({ kind: z.string(), id: z.string(), name: z.string() });

/** The verdict of the policy about a request. */
const ruling = z.looseObject({ decision: z.enum(['allow', 'deny', 'ask']), rules: z.array(z.string()) });
const policyVerdict = ruling.extend({
  version: z.string(),
  class: z.string().nullable(),
  doubt: z.string().nullable(),
  tokens: z.array(z.string()).optional(),
  shadow: ruling.nullish(),
});

/**
 * The approval as the service sends it. The schema accepts members and values that a later service adds. Only the status
 * `approved`, with its receipt, lets a tool run; an unknown one is a denial.
 */
export const approvalSchema = z.looseObject({
  id: z.uuid(),
  /** One of `ApprovalStatus`, or one that a later service adds. */
  status: z.string(),
  /** The API key that made the request, as authenticated; earlier services do not send it. */
  requestedBy: z.looseObject({ key: z.string(), owner: z.string().nullable() }).optional(),
  agentId: z.string(),
  sessionId: z.string(),
  toolName: z.string(),
  toolInput: jsonObject,
  toolUseId: z.string().nullable(),
  summary: z.string().nullable(),
  cwd: z.string().nullable(),
  metadata: jsonObject,
  inputDigest: z.string(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  settledAt: z.iso.datetime().nullable(),
  decision: z
    .object({
      by: actor,
      reason: z.string().nullable(),
      /** Of a question; missing without any. */
      answers: z.record(z.string(), z.array(z.string())).optional(),
    })
    .nullable(),
  reason: z.string().nullable(),
  acknowledged: z.string().nullable(),
  receipt: z.string().nullable(),
  /** Null: no policy was active; earlier services do not send it. */
  policy: policyVerdict.nullish(),
  /** Null: nobody has erased its input; earlier services do not send it. Anything else allows nothing. */
  inputErased: z.unknown().optional(),
});

export const approvalPageSchema = z.object({
  items: z.array(approvalSchema),
  nextCursor: z.string().nullable(),
});

/** Members of a problem document that a caller uses; its texts are for people. */
export const problemSchema = z.object({
  code: z.string(),
  detail: z.string().optional(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  approval: approvalSchema.optional(),
});

export type Approval = z.infer<typeof approvalSchema>;
export type Acknowledgement = 'gone' | 'answered' | 'resumed' | 'ran' | 'failed';
export type ApprovalStatus = 'pending' | 'approved' | 'rejected' | 'expired' | 'cancelled';
export type ApprovalPage = z.infer<typeof approvalPageSchema>;

/** Request of an agent; `POST /api/approvals` documents each member. */
export interface Ask {
  readonly agentId: string;
  readonly sessionId: string;
  readonly toolName: string;
  readonly toolInput: JsonObject;
  readonly toolUseId?: string;
  readonly summary?: string;
  readonly cwd?: string;
  readonly timeoutSeconds?: number;
  readonly metadata?: JsonObject;
}

/** Filter for a list of approvals. */
export interface ApprovalFilter {
  readonly status?: ApprovalStatus;
  readonly agentId?: string;
  readonly sessionId?: string;
}
