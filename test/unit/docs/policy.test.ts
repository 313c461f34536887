import { CLAUDE_CODE_TOOLS } from '../../../src/agents/claude-code/claude-code-tools';
import { checkPolicy } from '../../../src/policy/check/check-policy';
import { readPolicy } from '../../../src/policy/document/read-policy';
import {
  STARTER_AGENTS,
  type StarterAgent,
  writeStarterPolicy,
} from '../../../src/policy/starter/starter-policy';
import { POLICY_EXAMPLES } from '../../support/cookbook';

describe('docs/policy.md', () => {
  it('has a cookbook of at least ten documents', () => {
    expect(POLICY_EXAMPLES.length).toBeGreaterThanOrEqual(10);
  });

  it.each(POLICY_EXAMPLES)('line $line passes check, with a case for every rule', ({ text }) => {
    const { policy } = readPolicy(text);
    expect(policy.rules.filter(({ cases }) => !cases?.match?.length)).toEqual([]);
    expect(checkPolicy(text, CLAUDE_CODE_TOOLS).findings).toEqual([]);
  });
});

describe('the starter policy', () => {
  const found: readonly (readonly StarterAgent[])[] = [
    [],
    ...STARTER_AGENTS.map((agent) => [agent]),
    STARTER_AGENTS,
  ];
  it.each(found.map((agents) => ({ agents })))('for $agents passes check', ({ agents }) => {
    const text = writeStarterPolicy(agents, '/srv/ada/shop/');
    const { policy } = readPolicy(text);
    const { findings } = checkPolicy(text, CLAUDE_CODE_TOOLS);
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(policy.mode).toBe('shadow');
    expect(policy.rules.map(({ match }) => match?.cwd ?? null)).toContain('/srv/ada/shop/**');
  });

  it('allows no tool that writes, and no command that runs files of the project', () => {
    const { policy } = readPolicy(writeStarterPolicy(STARTER_AGENTS, '/srv/ada/shop'));
    const allows = policy.rules.filter(({ decision }) => decision === 'allow');
    expect(allows.map(({ match }) => match?.command === undefined)).toEqual([false, false]);
    expect(allows.map(({ match }) => match?.command?.argv?.[0])).toEqual([
      'git',
      { any: ['cat', 'grep', 'head', 'ls', 'pwd', 'rg', 'tail', 'wc'] },
    ]);
  });

  it('quotes a directory with a quote', () => {
    expect(readPolicy(writeStarterPolicy([], "/srv/o'neil")).policy.rules[0]?.match?.cwd).toBe(
      "/srv/o'neil/**",
    );
  });
});
