import type { PolicyVerdict } from '../kernel/policy-verdict';

/**
 * The verdict of a request, for SQL. Null where its text has an escape that PostgreSQL refuses as JSON: rows of earlier
 * versions may quote such a character of a request, and one row must not stop a statement about many.
 */
export const POLICY_JSON = String.raw`(case when policy !~ '\\u(0000|d[89a-f])' then policy::jsonb end)`;

/** The text of the column: JSON that PostgreSQL can read too, without U+0000 and halves of characters. */
export function policyText(verdict: PolicyVerdict | null): string | null {
  return (
    verdict &&
    JSON.stringify(verdict, (_name, value: unknown) =>
      typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '\u2400') : value,
    )
  );
}
