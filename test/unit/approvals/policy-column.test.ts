import { policyText } from '../../../src/approvals/policy-column';
import type { PolicyVerdict } from '../../../src/kernel/policy-verdict';

it('a verdict is stored without what PostgreSQL refuses in JSON, wherever a request is quoted', () => {
  const verdict = {
    ...{
      decision: 'ask',
      rules: [],
      class: 'normal',
      tokens: ['a\0'],
      say: null,
      version: 'v',
      shadow: null,
    },
    doubt: { reason: 'input', words: `the tool's member "\0\ud83d" is not known` },
  } as const satisfies PolicyVerdict;
  const text = policyText(verdict);
  expect(text).not.toMatch(/\\u0000|\\ud/);
  expect(JSON.parse(text ?? '')).toMatchObject({ tokens: ['a\u2400'], class: 'normal' });
  expect(policyText(null)).toBeNull();
});
