import type { JsonObject } from '../../kernel/json';

/** A request as the policy sees it. Only key, owner and connector are authenticated; the rest is what the caller claims. */
export interface PolicyRequest {
  /** The name of the API key that asks. */
  readonly key: string;
  readonly owner: string | null;
  readonly connector: string;
  readonly agentId: string;
  readonly sessionId: string;
  readonly toolName: string;
  readonly toolInput: JsonObject;
  readonly cwd: string | null;
  /** The permission mode of the agent. */
  readonly mode: string | null;
  readonly metadata: JsonObject;
}
