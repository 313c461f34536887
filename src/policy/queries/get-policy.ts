import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { DomainError } from '../../kernel/errors';
import { PolicyStore, type Activation, type PolicyState, type PolicyVersion } from '../policy-store';

/** The active policy with its document, or null; its last activation; and whether its rules are stopped. */
export interface CurrentPolicy {
  readonly active: PolicyVersion | null;
  readonly activation: Activation | null;
  readonly stopped: PolicyState['stopped'];
}

/** Reads the active policy. */
export class GetPolicyQuery extends Query<CurrentPolicy> {}

@QueryHandler(GetPolicyQuery)
export class GetPolicyHandler implements IQueryHandler<GetPolicyQuery> {
  constructor(private readonly store: PolicyStore) {}

  async execute(): Promise<CurrentPolicy> {
    const { version, stopped } = await this.store.state();
    const active = version === null ? null : await this.store.find(version);
    const [activation = null] = active ? await this.store.history(1) : [];
    return { active, activation, stopped };
  }
}

/** Reads one version of the policy. Rejects with `policy.not-found`. */
export class GetPolicyVersionQuery extends Query<PolicyVersion> {
  constructor(readonly version: string) {
    super();
  }
}

@QueryHandler(GetPolicyVersionQuery)
export class GetPolicyVersionHandler implements IQueryHandler<GetPolicyVersionQuery> {
  constructor(private readonly store: PolicyStore) {}

  async execute({ version }: GetPolicyVersionQuery): Promise<PolicyVersion> {
    const found = await this.store.find(version);
    if (!found) throw new DomainError('policy.not-found', 'There is no such version of the policy.');
    return found;
  }
}
