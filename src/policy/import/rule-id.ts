import type { Rule } from '../document/policy-schema';

/** An id made of the words of an entry that none of the rules has. */
export function ruleId(entry: string, rules: readonly Rule[]): string {
  const words = entry.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  const id = `imported-${words.replaceAll(/^-|-$/g, '')}`.slice(0, 55).replace(/-$/, '');
  for (let n = 1; ; n += 1) {
    const free = n === 1 ? id : `${id}-${n}`;
    if (rules.every((rule) => rule.id !== free)) return free;
  }
}
