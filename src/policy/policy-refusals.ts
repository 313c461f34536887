import { DomainError } from '../kernel/errors';
import type { Finding } from './document/finding';

/** A policy document with errors; nothing was changed. */
export class PolicyInvalid extends DomainError {
  override readonly name = 'PolicyInvalid';

  constructor(readonly findings: readonly Finding[]) {
    const [first] = findings.filter(({ severity }) => severity === 'error');
    const place = first ? `line ${first.line}, column ${first.column}: ${first.message}` : 'it has errors';
    super('policy.invalid', `The policy document cannot be applied: ${place}`);
  }
}

/** Another version became active since the caller read it. */
export function staleVersion(active: string | null): DomainError {
  return new DomainError(
    'policy.stale',
    active === null
      ? 'No policy is active; send If-None-Match: * for the first one.'
      : `The active version is ${active}; read it, apply your change to it, and send it as If-Match.`,
  );
}

/** The active policy demands a second person for a change that widens it. */
export function needsSecondPerson(): DomainError {
  return new DomainError(
    'policy.second-person',
    'This change widens the policy, and the active version demands two people for that: propose it, and have an admin with another owner approve it.',
  );
}

/** `POLICY_FILE` is set: its next change would be the second source of the policy. */
export function managed(file: string): DomainError {
  return new DomainError(
    'policy.managed',
    `The policy is managed by POLICY_FILE (${file}): change that file, or override it.`,
  );
}
