import type { JsonObject, JsonValue } from '../kernel/json';
import type { Steps } from '../kernel/steps';

/** A text in an action, for the search for look-alikes. */
export interface ActionString {
  readonly text: string;
  /** True if a shell would probably run it. */
  readonly isCommand: boolean;
}

const COMMAND_MEMBER = /^(?:commands?|cmds?|command_?line|scripts?|shell|exec|argv)$/i;
const COMMAND_TOOL = /bash|shell|exec|terminal|command|monitor/i;
const PROSE_MEMBER = /^(?:description|summary|title|reason|explanation|comment|message|prompt|question)$/i;
const ASCII_ONLY = /^\p{ASCII}*$/u;

const VALUES_IN_A_STEP = 10_000;

/** Every text in the action with a character beyond ASCII, including names of members. */
export function* stringsBeyondAscii(toolName: string, toolInput: JsonObject): Steps<ActionString[]> {
  const toolRunsCommands = COMMAND_TOOL.test(toolName);
  const found: ActionString[] = [];
  const add = (text: string, isCommand: boolean): void => {
    if (!ASCII_ONLY.test(text)) found.push({ text, isCommand });
  };
  const waiting: { readonly value: JsonValue; readonly isCommand: boolean }[] = [
    { value: toolInput, isCommand: toolRunsCommands },
  ];
  let seen = 0;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, isCommand } = next;
    if (typeof value === 'string') add(value, isCommand);
    if (typeof value !== 'object' || value === null) continue;
    const isList = Array.isArray(value);
    if (isList && isCommand && value.every((each) => typeof each === 'string')) {
      // The words of one command.
      add(value.join(' '), true);
      continue;
    }
    const names = isList ? null : Object.keys(value);
    const containers: { value: JsonValue; isCommand: boolean }[] = [];
    for (const [index, member] of (Object.values(value) as JsonValue[]).entries()) {
      if (++seen % VALUES_IN_A_STEP === 0) yield;
      const name = names?.[index];
      if (name !== undefined) add(name, false);
      const memberIsCommand =
        name === undefined ? isCommand : COMMAND_MEMBER.test(name) || (isCommand && !PROSE_MEMBER.test(name));
      if (typeof member === 'string') add(member, memberIsCommand);
      else if (typeof member === 'object' && member !== null)
        containers.push({ value: member, isCommand: memberIsCommand });
    }
    for (const container of containers.reverse()) waiting.push(container);
  }
  return found;
}
