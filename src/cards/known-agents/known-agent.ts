import type { JsonObject, JsonValue } from '../../kernel/json';
import type { HiddenPart, KnownMember } from '../action-part';

/**
 * Effect of a tool. `reads`: it reads from the machine, or plans, and has no effect outside the session. `asks`: it puts a
 * question to the person at the terminal. `acts`: everything else.
 */
export type ToolEffect = 'reads' | 'acts' | 'asks';

/** A tool of an agent: its effect, and how its input reads on a card. */
export interface KnownTool {
  readonly effect: ToolEffect;
  /** The members that are shown as text, in reading order; the card shows all others as JSON. */
  readonly members?: readonly KnownMember[];
  /** A member with a shape of its own. */
  readonly structure?: {
    readonly member: string;
    /** Empty if the value has another shape; the card then shows it as JSON. */
    readonly parts: (value: JsonValue | undefined) => HiddenPart[];
  };
}

/** The knowledge of an agent that does not depend on the way in which it asks. */
export interface KnownAgent {
  readonly name: string;
  /** Null for a tool that this version does not know. */
  readonly tool: (name: string) => KnownTool | null;
  /**
   * The mode, from the metadata of a request, in which the agent would run a tool after a failure of this service, or a
   * mode that is unknown. Null otherwise.
   */
  readonly unguardedMode: (metadata: JsonObject) => string | null;
}
