/**
 * The meaning of a member of a tool's input. `path`: one file or directory. `tree`: a directory below which the tool
 * reads everything; the working directory where it is missing. `pattern`: a glob below the tree. `directory`: another
 * directory in which the command runs. `off`: a switch with an effect that no rule can describe. No rule allows either. `terminal`: a switch for an interactive terminal. `text`: everything else.
 */
export type MemberRole =
  'command' | 'path' | 'tree' | 'pattern' | 'url' | 'directory' | 'off' | 'terminal' | 'text';

/** The input of a tool as the policy reads it. A member that is not listed here is never allowed by a rule. */
export interface ToolShape {
  readonly members: Readonly<Record<string, MemberRole>>;
  /** True if the tool writes the files of its paths. */
  readonly writes: boolean;
}

/** The known tools of all agents, by the name that the agent uses. */
export type ToolShapes = ReadonlyMap<string, ToolShape>;

/** The name of the first member with a role; null if there is none. */
export function memberOf({ members }: ToolShape, ...roles: readonly MemberRole[]): string | null {
  return Object.entries(members).find(([, role]) => roles.includes(role))?.[0] ?? null;
}

/** Provides the {@link ToolShapes} of all agents. */
export const AGENT_TOOLS = Symbol('tool shapes');
