import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPolicy } from '../../src/policy/document/read-policy';
import type { Rule } from '../../src/policy/document/policy-schema';

/** The YAML documents of docs/policy.md, each with its line. */
export const POLICY_EXAMPLES: readonly { readonly line: number; readonly text: string }[] = (() => {
  const page = readFileSync(join(__dirname, '..', '..', 'docs', 'policy.md'), 'utf8');
  return [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(({ 1: text = '', index }) => ({
    line: page.slice(0, index).split('\n').length,
    text,
  }));
})();

/** The rules of all examples. */
export function cookbookRules(): Rule[] {
  return POLICY_EXAMPLES.flatMap(({ text }) => readPolicy(text).policy.rules);
}
