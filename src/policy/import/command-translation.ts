import type { CommandMatcher } from '../shell/command-matcher';
import { lintCommandMatcher } from '../shell/lint-command-matcher';
import { parseCommand } from '../shell/parse-command';
import type { Decision, Translation } from './imported';

type Argv = NonNullable<CommandMatcher['argv']>;

/**
 * Translates the specifier of `Bash`. `*` stands for any text; ` *` and `:*` at the end for nothing or any words. An open end
 * cannot be allowed here: it lets every flag in.
 */
export function commandTranslation(
  specifier: string,
  decision: Decision,
  who: { readonly key?: string },
): Translation {
  const isPrefix = /(?::| )\*$/.test(specifier);
  const text = specifier.replace(/(?::| )\*$/, '');
  const words = text.includes('*') ? text.split(/\s+/).filter((word) => word !== '*') : wordsOf(text);
  if (typeof words === 'string') return { reason: words };
  if (words.some((word) => word.includes('*')) || words.length === 0) {
    return { reason: 'A * beside other characters matches parts of words; a rule here matches whole words.' };
  }
  if (decision === 'allow' && (isPrefix || text.includes('*'))) return { reason: openEnd(words) };
  return commandMatch(words, decision, who);
}

/** The matchers of a command with exactly these words where the rule allows, else of one that has them in this order. */
export function commandMatch(argv: Argv, decision: Decision, who: { readonly key?: string }): Translation {
  const command: CommandMatcher = { argv };
  const fault = lintCommandMatcher(command, decision).find(({ severity }) => severity === 'error');
  return fault === undefined ? { match: { tool: 'Bash', ...who, command } } : { reason: fault.message };
}

/** The reason not to allow everything after these words. */
export function openEnd(argv: Argv): string {
  const words = argv.map((word) => (typeof word === 'string' ? word : `{ any: [${word.any.join(', ')}] }`));
  return `It allows every flag and operand. Say which: argv: [${words.join(', ')}], with flags and operands.`;
}

function wordsOf(text: string): string[] | string {
  const command = parseCommand(text);
  if (command.doubt !== null) return `The command has: ${command.doubt}.`;
  const [simple, ...others] = command.statements.flat().flatMap(({ commands }) => commands);
  if (simple === undefined || others.length > 0) return 'It is several commands; write a rule for each.';
  return simple.outputs.length > 0 ? 'It writes a file.' : [...simple.words];
}
