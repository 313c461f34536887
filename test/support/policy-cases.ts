import { CLAUDE_CODE_TOOLS } from '../../src/agents/claude-code/claude-code-tools';
import { listOf, type Policy, type Rule, type RuleCase } from '../../src/policy/document/policy-schema';
import { compilePolicy } from '../../src/policy/evaluation/compile-policy';
import { evaluate } from '../../src/policy/evaluation/evaluate';

/** The cases of a policy that its rules fail, each rule alone. */
export function failedCases({ rules }: Policy): string[] {
  return rules.flatMap((rule) => {
    const fails = (given: RuleCase, expected: boolean) =>
      isMatch(rule, given) === expected
        ? []
        : [`${rule.id} ${expected ? 'does not match' : 'matches'} ${JSON.stringify(given)}`];
    const { match = [], not = [] } = rule.cases ?? {};
    return [...match.flatMap((given) => fails(given, true)), ...not.flatMap((given) => fails(given, false))];
  });
}

function isMatch(rule: Rule, given: RuleCase): boolean {
  const { key, cwd } = rule.match ?? {};
  const stated = typeof given === 'string' ? { input: { command: given } } : given;
  const example = (pattern: string | undefined) => pattern?.replaceAll('/**', '').replaceAll('*', 'x');
  const request = {
    key: stated.key ?? example(listOf(key)[0]) ?? 'x',
    owner: stated.owner ?? null,
    connector: stated.connector ?? 'x',
    agentId: stated.agent ?? 'x',
    sessionId: stated.session ?? 'x',
    toolName: stated.tool ?? 'Bash',
    toolInput: stated.input ?? {},
    cwd: stated.cwd ?? example(listOf(cwd)[0]) ?? '/srv/x/shop',
    mode: stated.mode ?? null,
    metadata: stated.metadata ?? {},
  };
  const alone = compilePolicy(
    { policy: { version: 1, rules: [rule] }, version: 'sha256:0' },
    CLAUDE_CODE_TOOLS,
  );
  const { decision, rules } = evaluate(alone, request, new Date(0));
  return decision === rule.decision && rules.includes(rule.id);
}
