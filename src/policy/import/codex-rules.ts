import { z } from 'zod';
import type { Rule } from '../document/policy-schema';
import { commandMatch, openEnd } from './command-translation';
import type { Decision, Imported, LeftOut, Translation } from './imported';
import { ruleId } from './rule-id';
import { readCalls, type StarlarkCall } from './starlark';

const argumentsSchema = z.object({
  pattern: z.array(z.union([z.string(), z.array(z.string()).min(1)])).min(1),
  decision: z.enum(['allow', 'prompt', 'forbidden']).default('allow'),
  justification: z.string().optional(),
});

/**
 * Translates the `prefix_rule`s of a Codex rules file. A rule that denies or asks catches no less than the original. One that
 * allows has an open end, so it has no translation.
 *
 * Source: https://developers.openai.com/codex/rules
 */
export function importCodexRules(text: string): Imported {
  const rules: Rule[] = [];
  const leftOut: LeftOut[] = [];
  for (const call of readCalls(text)) {
    const translation = translate(call);
    if ('reason' in translation) {
      leftOut.push({ line: call.line, entry: call.text.replaceAll(/\s+/g, ' '), reason: translation.reason });
    } else {
      const { decision, ...rest } = translation;
      const words = (rest.match?.command?.argv ?? []).map((word) =>
        typeof word === 'string' ? word : word.any[0],
      );
      rules.push({ id: ruleId(`${decision} ${words.join(' ')}`, rules), decision, ...rest });
    }
  }
  return { rules, leftOut };
}

function translate(call: StarlarkCall): (Translation & { decision: Decision }) | { reason: string } {
  if (call.name !== 'prefix_rule') return { reason: `${call.name} has no translation.` };
  if (call.values === null) return { reason: 'It is more than names, texts and lists.' };
  const { data } = argumentsSchema.safeParse(call.values);
  if (data === undefined)
    return { reason: 'It has no pattern of texts, or another decision than allow, prompt or forbidden.' };
  const argv = data.pattern.map((token) => (typeof token === 'string' ? token : { any: token }));
  if (data.decision === 'allow') return { reason: openEnd(argv) };
  const decision = data.decision === 'prompt' ? 'ask' : 'deny';
  const translation = commandMatch(argv, decision, {});
  if ('reason' in translation) return translation;
  // Whichever tool of Codex runs the command.
  const match = { command: translation.match?.command };
  const say = decision === 'deny' && data.justification ? { say: data.justification.slice(0, 1_000) } : {};
  return { decision, match, ...say };
}
