/** A policy as large as an organization's: 20 rules read shell commands, 480 name other tools, and 500 concern every tool. */
const SHELL_RULES = 20;
const RULES_OF_A_KIND = 100;

const kinds = [
  (i) => ({ decision: 'ask', match: { agent: [`bot-${i}`, `bot-${i}-*`] } }),
  (i) => ({ decision: 'deny', match: { path: [`/srv/team-${i}/secrets/**`, `**/.vault-${i}/**`] } }),
  (i) => ({ decision: 'deny', match: { host: [`*.team-${i}.example`] } }),
  (i) => ({ decision: 'ask', match: { session: `review-${i}-*`, mode: 'plan' } }),
  (i) => ({ decision: 'deny', match: { key: `robot-${i}`, cwd: `/srv/team-${i}/**` } }),
];

const tools = [
  (i) => ({ decision: 'allow', match: { key: '*', tool: 'Read', path: `/srv/team-${i}/docs/**` } }),
  (i) => ({ decision: 'deny', match: { tool: 'Write', path: [`**/gate-${i}/**`] } }),
  (i) => ({ decision: 'allow', match: { key: '*', tool: 'WebFetch', host: `docs-${i}.example` } }),
  (i) => ({
    decision: 'ask',
    match: { tool: `mcp__service_${i}__*`, input: { '/force': { equals: true } } },
  }),
];

/** The rule that allows the command of `allowedCommand`. */
const READ_GIT = {
  id: 'read-git',
  decision: 'allow',
  match: {
    key: '*',
    tool: 'Bash',
    cwd: '/srv/**',
    command: {
      argv: ['git', { any: ['log', 'diff', 'status'] }],
      flags: ['--oneline', '-n:int'],
      operands: 'path',
    },
  },
};

export const allowedCommand = (unique) => `git log --oneline -n ${unique}`;

export function policyOf1000() {
  const shell = Array.from({ length: SHELL_RULES - 1 }, (_, i) =>
    i % 2 === 0
      ? {
          decision: 'ask',
          match: { tool: 'Bash', command: { mentions: [[`deploy-${i}`, 'apply'], [`ctl-${i}`]] } },
        }
      : {
          decision: 'allow',
          match: { key: '*', tool: 'Bash', cwd: '/srv/**', command: { argv: [`check-${i}`, 'all'] } },
        },
  );
  const many = (makers, count) => makers.flatMap((make) => Array.from({ length: count }, (_, i) => make(i)));
  const others = [...many(kinds, RULES_OF_A_KIND), ...many(tools, RULES_OF_A_KIND + RULES_OF_A_KIND / 5)];
  const rules = [...shell, ...others].map((rule, i) => ({ id: `rule-${i}`, ...rule }));
  return { version: 1, rules: [READ_GIT, ...rules] };
}
