import { z } from 'zod';
import type { Identity } from '../../access/identity';
import { jsonObjectSchema } from '../../kernel/json-object';
import { parsed } from '../../http/zod';
import type { Outcome } from '../answers';
import type { Question } from '../held-calls';

/** The value of the column `connector` for the hook, and its label in metrics and logs. */
export const CONNECTOR = 'copilot';

const label = z.string().min(1, 'must not be empty').max(200, 'must have at most 200 characters');

/** The members of the client's payload that the service uses; newer versions may send more. */
const payloadSchema = z.object({
  sessionId: label,
  cwd: z.string().min(1, 'must not be empty').max(4096, 'must have at most 4096 characters').nullish(),
  toolName: label,
  /** Tools with a free-form input, such as `apply_patch`, send it as a string. */
  toolArgs: z.union([jsonObjectSchema, z.string().transform((input) => ({ input }))], {
    error: 'must be a JSON object or a string',
  }),
});

/**
 * The question of a call. It has no id, so a retry is recognised by its session and action, and only while nobody waits
 * for the first call and nobody received its answer.
 *
 * @throws InvalidInput naming every fault.
 */
export function questionOf(body: unknown, { keyId }: Identity): Question {
  const { sessionId, cwd, toolName, toolArgs: toolInput } = parsed(payloadSchema, body);
  return {
    connector: CONNECTOR,
    body: { agentId: keyId, sessionId, toolName, toolInput, cwd },
    identity: { sessionId },
  };
}

/** The answer in the form that Copilot CLI expects. */
export const hookOutput = (_event: 'preToolUse', { answer: { allow, message } }: Outcome): object => ({
  permissionDecision: allow ? 'allow' : 'deny',
  permissionDecisionReason: message,
});
