import { TOOL_SHAPES } from '../../../src/agents/adapters';
import { compilePolicy } from '../../../src/policy/evaluation/compile-policy';

/** Also what documents cannot say yet. */
const isTogether = (demands: object): boolean | undefined => {
  const policy = { version: 1 as const, rules: [], classes: { tested: demands } };
  return compilePolicy({ policy, version: 'sha256:1' }, TOOL_SHAPES).classes.get('tested')?.together;
};

it.each([{}, { approvals: 1 }, { via: 'any' }, { timeout: '15m', grants: false }])(
  'one tap may decide requests of a class with %j together',
  (demands) => {
    expect(isTogether(demands)).toBe(true);
  },
);

it.each([
  { approvals: 2 },
  { via: 'console' },
  { reason: 'required' },
  { from: ['sre'] },
  { anything: 'new' },
])('a request of a class with %j is decided on its own card', (demands) => {
  expect(isTogether(demands)).toBe(false);
});
