import type { Asker } from '../kernel/actor';
import type { JsonObject } from '../kernel/json';
import type { PolicyRequest } from '../policy/evaluation/policy-request';
import type { EnqueueBody } from './new-request';

/** The request as the policy sees it. `connector` null: REST. */
export function policyRequestOf(
  body: EnqueueBody,
  { keyId, owner }: Asker,
  connector: string | null,
): PolicyRequest {
  const { agentId, sessionId, toolName, toolInput, cwd = null, metadata } = body;
  return {
    key: keyId,
    owner,
    connector: connector ?? 'rest',
    agentId,
    sessionId,
    toolName,
    toolInput,
    cwd,
    mode: claimedMode(metadata),
    metadata: metadata ?? {},
  };
}

/** The permission mode that the agent claims: a member of the metadata, or of one of its objects. */
function claimedMode(metadata: JsonObject | null | undefined): string | null {
  const own = Object.values(metadata ?? {}).filter((value) => typeof value === 'object' && value !== null);
  const modes = [metadata ?? {}, ...own].map((value) => (value as JsonObject).permissionMode);
  const mode = modes.find((value) => typeof value === 'string');
  return typeof mode === 'string' ? mode : null;
}
