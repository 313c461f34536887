import { Injectable } from '@nestjs/common';
import type { Identity } from '../access/identity';
import { policyRequestOf } from '../approvals/policy-request-of';
import { ActivePolicy } from '../policy/active-policy';
import type { Question } from './held-calls';

/** Calls of tools that only read. No operator is asked about them; the rules may still deny one, or ask about it by name. */
@Injectable()
export class ReadingCalls {
  constructor(private readonly policy: ActivePolicy) {}

  /** True if the rules must decide this call. */
  isRuled({ body, connector }: Question, caller: Identity): boolean {
    return this.policy.restricts(policyRequestOf(body, caller, connector));
  }
}
