import { z } from 'zod';

const location = z.object({ path: z.string() });
/** Keeps the location as it is: a parsed one would lack a member of the name `__proto__`. */
const isLocation = (sent: unknown): boolean => location.safeParse(sent).success;

const options = z.array(z.looseObject({ optionId: z.string(), kind: z.string() }));

/** The members of a tool call that its announcements and the question about it share. */
export const toolCallSchema = z.looseObject({
  toolCallId: z.string(),
  title: z.string().nullish(),
  kind: z.string().nullish(),
  name: z.string().nullish(),
  rawInput: z.unknown().optional(),
  content: z.array(z.unknown()).nullish(),
  locations: z.array(z.unknown().refine(isLocation, 'must be an object with a path')).nullish(),
});

export type SentToolCall = z.infer<typeof toolCallSchema>;

export const permissionSchema = z.looseObject({
  sessionId: z.string(),
  toolCall: toolCallSchema,
  options,
});

/** The options by which a verdict is answered. */
export interface VerdictOptions {
  /** Null: the agent offers no way to allow the call once, or several. */
  readonly allow: string | null;
  /** Null: it offers no way to reject it once; the question is then answered as cancelled. */
  readonly reject: string | null;
}

/**
 * Chooses the options that hold for one call. Those that hold for longer are never chosen: every later call of the agent
 * would run without a question. An id that two options share would leave the choice to the agent.
 */
export function verdictOptions(offered: z.infer<typeof options>): VerdictOptions {
  const only = (kind: string): string | null => {
    const [first, ...others] = offered.filter((option) => option.kind === kind);
    if (!first || others.length > 0) return null;
    return offered.filter(({ optionId }) => optionId === first.optionId).length === 1 ? first.optionId : null;
  };
  return { allow: only('allow_once'), reject: only('reject_once') };
}
