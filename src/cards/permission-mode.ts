import type { JsonObject } from '../kernel/json';

/** Modes in which Claude Code refuses an undecided tool, or asks the person at the terminal. */
const GUARDED_MODES: ReadonlySet<string> = new Set(['default', 'plan', 'dontAsk']);

/**
 * The permission mode from the Claude Code connector if the tool would run in it after a failure of the hook, or if the
 * mode is unknown. Null otherwise.
 */
export function unguardedMode(metadata: JsonObject): string | null {
  const { claudeCode } = metadata;
  const mode = (claudeCode as JsonObject | null | undefined)?.permissionMode;
  return typeof mode === 'string' && !GUARDED_MODES.has(mode) ? mode : null;
}
