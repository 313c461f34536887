import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLAUDE_CODE_TOOLS } from '../../../src/agents/claude-code/claude-code-tools';
import { checkPolicy } from '../../../src/policy/check/check-policy';
import type { Policy } from '../../../src/policy/document/policy-schema';
import { readPolicy } from '../../../src/policy/document/read-policy';
import { compilePolicy } from '../../../src/policy/evaluation/compile-policy';
import { suggestRules } from '../../../src/policy/suggest/suggest-rules';
import { cookbookRules } from '../../support/cookbook';
import { DECIDED_WEEK, RECORDED_WEEK, replay } from '../../support/recorded-week';

const TEXT = readFileSync(join(__dirname, '..', '..', 'policy', 'recorded-week.policy.yaml'), 'utf8');
const POLICY = readPolicy(TEXT);
const MIDDLE = Math.floor(DECIDED_WEEK.length / 2);
const FIRST_HALF = DECIDED_WEEK.slice(0, MIDDLE);
const SECOND_HALF = DECIDED_WEEK.slice(MIDDLE);

const compile = (policy: Policy) => compilePolicy({ policy, version: 'sha256:0' }, CLAUDE_CODE_TOOLS);

describe('the recorded week', () => {
  it('has at least 500 calls in varied forms, and a reason for every rejection', () => {
    expect(RECORDED_WEEK.length).toBeGreaterThanOrEqual(500);
    expect(new Set(RECORDED_WEEK.map(({ toolInput }) => JSON.stringify(toolInput))).size).toBeGreaterThan(
      450,
    );
    const rejected = RECORDED_WEEK.filter(({ verdict }) => verdict === 'rejected');
    expect(rejected.length).toBeGreaterThanOrEqual(60);
    expect(rejected.filter(({ reason }) => !reason)).toEqual([]);
  });
});

describe('the policy of the recorded week', () => {
  const compiled = compilePolicy(POLICY, CLAUDE_CODE_TOOLS);

  it('passes check', () => {
    expect(checkPolicy(TEXT, CLAUDE_CODE_TOOLS).findings).toEqual([]);
  });

  it('has at most 15 rules, each of them from the cookbook or from suggest', () => {
    const { rules } = POLICY.policy;
    const cookbook = cookbookRules().map(({ match }) => match);
    const written = rules.filter(({ match }) => cookbook.some((known) => isSame(known, match)));
    const others = rules.filter((rule) => !written.includes(rule));
    expect(rules.length).toBeLessThanOrEqual(15);
    const suggested = suggestRules(FIRST_HALF, CLAUDE_CODE_TOOLS, { version: 1, rules: written }).suggestions;
    expect(others).toEqual(suggested.slice(0, others.length).map(({ rule }) => rule));
  });

  it.each([
    ['the week', DECIDED_WEEK],
    ['its first half', FIRST_HALF],
    ['its second half', SECOND_HALF],
  ])('answers at least 85 %% of %s without a card, and allows nothing that a person rejected', (_, part) => {
    const { saved, allowedAgainstPeople, deniedAgainstPeople } = replay(compiled, part);
    expect(saved).toBeGreaterThanOrEqual(0.85);
    expect(allowedAgainstPeople).toEqual([]);
    expect(deniedAgainstPeople).toEqual([]);
  });
});

describe('the suggestions of the first half alone', () => {
  const suggest = (policy: Policy) => {
    const rules = suggestRules(FIRST_HALF, CLAUDE_CODE_TOOLS, policy).suggestions.map(({ rule }) => rule);
    return compile({ ...policy, rules: [...policy.rules, ...rules] });
  };
  const alone = suggest({ version: 1, rules: [] });

  it('would have allowed half of the approvals, and in the second half as many', () => {
    expect(replay(alone, FIRST_HALF).approvedThatAllow).toBeGreaterThan(0.5);
    expect(replay(alone, SECOND_HALF).approvedThatAllow).toBeGreaterThan(0.5);
    expect(replay(alone, FIRST_HALF).allowedAgainstPeople).toEqual([]);
  });

  it('allow a secret of the second half, until the rule "secrets" of the cookbook stands beside them', () => {
    expect(replay(alone, SECOND_HALF).allowedAgainstPeople).toEqual([
      { command: 'git log -p -- .env.production' },
    ]);
    const secrets = cookbookRules().filter(({ id }) => id === 'secrets');
    expect(secrets).toHaveLength(1);
    expect(replay(suggest({ version: 1, rules: secrets }), SECOND_HALF).allowedAgainstPeople).toEqual([]);
  });
});

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
