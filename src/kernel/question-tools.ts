/** Tools that agents ask a person with. A test compares them with the tools that cards know. */
export const QUESTION_TOOLS: ReadonlySet<string> = new Set(['AskUserQuestion']);

/** True if the agent asks a question, which a verdict does not answer. */
export const isQuestion = ({ toolName }: { readonly toolName: string }): boolean =>
  QUESTION_TOOLS.has(toolName);
