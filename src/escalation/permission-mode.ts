import type { JsonObject } from '../kernel/json';

/** In these, a tool that nobody decided about is refused, or a person at the terminal is asked. */
const GUARDED_MODES: ReadonlySet<string> = new Set(['default', 'plan', 'dontAsk']);

/**
 * The permission mode that the Claude Code connector noted, when a hook that fails would let the tool run in it; an
 * unknown mode counts as such. Null otherwise.
 */
export function unguardedMode(metadata: JsonObject): string | null {
  const { claudeCode } = metadata;
  const mode = (claudeCode as JsonObject | null | undefined)?.permissionMode;
  return typeof mode === 'string' && !GUARDED_MODES.has(mode) ? mode : null;
}
