import type { JsonObject } from '../../kernel/json';
import type { HiddenPart, KnownMember } from '../action-part';
import type { RichText } from '../rich-text';

/**
 * Effect of a tool. `reads`: it reads from the machine, or plans, and has no effect outside the session. `asks`: it puts a
 * question to the person at the terminal. `acts`: everything else.
 */
export type ToolEffect = 'reads' | 'acts' | 'asks';

/** The circumstances of a call that its title names. */
export interface Circumstances {
  readonly cwd: string | null;
  /** The number of places that the edits change; null if there are none, or too many to compare. */
  readonly places: number | null;
}

/** A tool of an agent: its effect, and how its input reads on a card. */
export interface KnownTool {
  readonly effect: ToolEffect;
  /** The members that are shown as text, in reading order; the card shows all others as JSON. */
  readonly members?: (input: JsonObject) => readonly KnownMember[];
  /** Members with a shape of their own. */
  readonly structure?: (input: JsonObject) => Structure | null;
  /** The effect of this call in words. Null if the input has another shape; the card then names the tool. */
  readonly title?: (input: JsonObject, circumstances: Circumstances) => RichText | null;
  /** Words for what makes this call more dangerous than it looks. */
  readonly dangers?: (input: JsonObject) => readonly RichText[];
  /** The file or host that it concerns; null if it names none. */
  readonly target?: (input: JsonObject) => string | null;
}

/** Parts that show these members of an input completely. */
export interface Structure {
  readonly members: readonly string[];
  readonly parts: readonly HiddenPart[];
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
  /** The kind of the subagent that asks, from the metadata of a request; null for none. */
  readonly subagent: (metadata: JsonObject) => string | null;
}
