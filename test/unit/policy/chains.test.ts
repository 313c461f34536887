import { TOOL_SHAPES } from '../../../src/agents/adapters';
import { checkPolicy } from '../../../src/policy/check/check-policy';
import { documentOf, policyOf, refusalOf, verdictOf } from '../../support/policy-scene';

const PEOPLE = {
  olivia: { telegram: 4711, groups: ['sre', 'leads'] },
  sam: { telegram: 4712, groups: ['sre'] },
  maria: { groups: ['console'] },
};
const DESTINATIONS = {
  everyone: { telegram: -1001 },
  sre: { telegram: -1001, topic: 12 },
  leads: { direct: 'leads' },
};
const CRITICAL = [{ to: 'sre' }, { to: 'leads', after: '5m' }];

const PRODUCTION = {
  id: 'production',
  decision: 'ask',
  match: { tool: 'Bash', command: { mentions: [['terraform', 'apply']] } },
  class: 'critical',
};

const document = (more: object) =>
  documentOf([PRODUCTION], { people: PEOPLE, destinations: DESTINATIONS, ...more });

const chained = {
  chains: { default: [{ to: 'everyone' }], critical: CRITICAL },
  classes: { critical: { from: 'sre', chain: 'critical' } },
};

it('accepts destinations and the chain of a class', () => {
  expect(refusalOf(document(chained))).toEqual([]);
});

it('asks by the chain of the class, and by `default` where a class names none', () => {
  const others = { people: PEOPLE, destinations: DESTINATIONS, ...chained };
  const asked = verdictOf([PRODUCTION], { toolInput: { command: 'terraform apply' } }, { others });
  expect(asked.chain).toEqual([
    { lanes: ['telegram:-1001/12'], direct: [], afterMs: 0 },
    { lanes: [], direct: ['leads'], afterMs: 300_000, seenBy: ['leads'] },
  ]);
  expect(verdictOf([PRODUCTION], {}, { others }).chain).toEqual([
    { lanes: ['telegram:-1001'], direct: [], afterMs: 0 },
  ]);
});

it('has no chain where the document names none: the destination of the installation is asked', () => {
  expect(verdictOf([PRODUCTION], {}, { others: { people: PEOPLE } }).chain).toBeNull();
  expect(policyOf([PRODUCTION]).lanes).toEqual([]);
});

it.each([
  ['an unknown destination', { chains: { default: [{ to: 'ops' }] } }, 'There is no destination "ops".'],
  ['an unknown chain', { classes: { critical: { chain: 'ops' } } }, 'There is no chain "ops".'],
  [
    'a first step with a wait',
    { chains: { default: [{ to: 'everyone', after: '5m' }] } },
    'The first step begins with the request.',
  ],
  [
    'a group that nobody is in',
    { destinations: { ops: { direct: 'ops' } } },
    'There is no person and no group "ops".',
  ],
  [
    'people without a Telegram id',
    { destinations: { console: { direct: ['maria', 'console'] } } },
    'Nobody of these has a Telegram id.',
  ],
  [
    'a step that reaches nobody who may decide',
    {
      chains: { critical: [{ to: 'sre' }, { to: 'sam', after: '5m' }] },
      destinations: { ...DESTINATIONS, sam: { direct: 'sam' } },
      classes: { critical: { from: 'leads', chain: 'critical' } },
    },
    'This step reaches nobody who may decide the class "critical"',
  ],
  [
    'a class that nobody with Telegram may decide',
    {
      chains: { critical: [{ to: 'everyone' }] },
      classes: { critical: { from: 'console', chain: 'critical' } },
    },
    'This step reaches nobody who may decide the class "critical"',
  ],
  ['a chain without steps', { chains: { default: [] } }, 'must not be empty'],
  ['a chat without an id', { destinations: { ops: { telegram: 0 } } }, 'numeric id of a Telegram chat'],
])('refuses %s', (_, more, words) => {
  expect(refusalOf(document(more))).toEqual([expect.stringContaining(words)]);
});

it.each([
  [
    'nobody is to spare',
    { ...chained, classes: { critical: { from: 'sre', approvals: 2, chain: 'critical' } } },
    'There is nobody to spare',
  ],
  [
    'a step begins after the end',
    { ...chained, classes: { critical: { from: ['sre', 'leads'], chain: 'critical', timeout: '5m' } } },
    'The class "critical" has ended before this step begins.',
  ],
  [
    'no class has the chain',
    { chains: { ...chained.chains, night: [{ to: 'everyone' }] } },
    'No class has this chain.',
  ],
])('warns if %s', (_, more, words) => {
  const { ok, findings } = checkPolicy(document(more), TOOL_SHAPES);
  expect(ok).toBe(true);
  expect(findings).toContainEqual(
    expect.objectContaining({ severity: 'warning', message: expect.stringContaining(words) as string }),
  );
});
