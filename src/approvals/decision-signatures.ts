import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import type { Identity } from '../access/identity';
import { RateLimits } from '../access/rate-limits';
import { Sessions } from '../access/sessions/sessions';
import { nullableText } from '../kernel/nullable-text';
import { DomainError } from '../kernel/errors';
import { DECISION, type DecisionStatement, type SignedDecision } from '../kernel/passkey-statement';
import { Passkeys } from '../people/passkeys/passkeys';
import { relyingPartyAt } from '../people/passkeys/relying-party';
import { responseOf, type AssertionBody } from '../people/passkeys/webauthn-shapes';
import { ActivePolicy } from '../policy/active-policy';
import type { Verdict } from './approval';
import { ApprovalStore } from './approval-store';
import { deciderOf } from './decider';
import { FinishedApprovals } from './finished-approvals';
import { viewerOf } from '../access/viewer-of';

export class ChallengeView extends createZodDto(
  z.strictObject({
    inputDigest: z.string(),
    policyVersion: nullableText('The policy version that judged the request.'),
    person: z.string(),
    rpId: z.string(),
    nonce: z.string(),
    passkeys: z.array(z.string()).meta({ description: 'Credential ids of the person.' }),
  }),
) {}

/** The signed-in person, and the request of their page. */
interface Signer {
  readonly caller: Identity;
  readonly request: FastifyRequest;
}

/** The verdict of the person, and the text that they saw. */
interface Decided {
  readonly verdict: Verdict;
  readonly reason: string | null;
  readonly displayDigest: string | null;
}

/** The random number belongs to one person and one request. */
interface Subject {
  readonly approvalId: string;
  readonly person: string;
}

/** The signatures of passkeys over decisions. */
@Injectable()
export class DecisionSignatures {
  constructor(
    private readonly passkeys: Passkeys,
    private readonly sessions: Sessions,
    private readonly finished: FinishedApprovals,
    private readonly store: ApprovalStore,
    private readonly limits: RateLimits,
    private readonly policy: ActivePolicy,
  ) {}

  /** @throws DomainError `passkey.refused` without a session of a passkey, `access.cross-site`, `approval.not-found` */
  async begin(id: string, signer: Signer): Promise<z.infer<typeof ChallengeView.schema>> {
    const { approval } = await this.finished.get(id, viewerOf(signer.caller));
    const person = personOf(signer);
    const { rpId, nonce, existing } = await this.passkeys.beginDecision(
      { approvalId: approval.id, person } satisfies Subject,
      person,
      this.at(signer),
    );
    const { inputDigest, policy } = approval;
    return { inputDigest, policyVersion: policy?.version ?? null, person, rpId, nonce, passkeys: existing };
  }

  /**
   * Verifies that the person's passkey has signed this decision about this request.
   *
   * @throws DomainError `passkey.refused` where it has not, RateLimited after too many refusals
   */
  async verify(
    id: string,
    signer: Signer,
    { verdict, reason, displayDigest }: Decided,
    { nonce, ...assertion }: AssertionBody & { readonly nonce: string },
  ): Promise<SignedDecision> {
    const person = personOf(signer);
    const at = this.at(signer);
    const subject = await this.passkeys.takeDecision<Subject>(nonce);
    const { approval } = await this.finished.get(id, 'everything');
    if (subject?.approvalId === approval.id && subject.person === person && displayDigest !== null) {
      const statement: DecisionStatement = {
        purpose: DECISION,
        approvalId: approval.id,
        inputDigest: approval.inputDigest,
        displayDigest,
        verdict,
        reason,
        policyVersion: approval.policy?.version ?? null,
        person,
        rpId: at.id,
        nonce,
      };
      const signed = await this.passkeys.verify(responseOf(assertion), statement, at);
      if (signed?.person === person) return { statement, ...assertion };
    }
    const by = deciderOf(signer.caller, this.policy.people);
    await this.limits.refuse(by);
    await this.store.recordLate(approval.id, by, { attempt: verdict, reason: 'bad-signature' });
    throw new DomainError(
      'passkey.refused',
      'Nothing was decided: your passkey has not signed this decision about this request. Try again.',
    );
  }

  private at({ request }: Signer) {
    return relyingPartyAt(this.sessions.requireConsole(request));
  }
}

function personOf({ caller: { person } }: Signer): string {
  if (person !== undefined) return person;
  throw new DomainError(
    'passkey.refused',
    'Sign in to the console with a passkey to sign decisions with it.',
  );
}
