import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { Reader } from '../../kernel/viewer';
import { PolicyStore } from '../policy-store';
import { PolicyThreads } from '../policy-threads';
import { RequestHistory } from '../request-history';
import type { Suggestions } from '../suggest/suggest-rules';

/** Suggests rules that would have saved people's approvals of what the reader sees, with the replay of each. Applies nothing. */
export class SuggestRulesQuery extends Query<Suggestions> {
  constructor(
    readonly since: Date,
    readonly reader: Reader | null,
  ) {
    super();
  }
}

@QueryHandler(SuggestRulesQuery)
export class SuggestRulesHandler implements IQueryHandler<SuggestRulesQuery> {
  constructor(
    private readonly history: RequestHistory,
    private readonly store: PolicyStore,
    private readonly threads: PolicyThreads,
  ) {}

  async execute({ since, reader }: SuggestRulesQuery): Promise<Suggestions> {
    const { version } = await this.store.state();
    const active = version === null ? null : await this.store.find(version);
    return this.threads.suggest(active?.document ?? null, this.history.since(since, reader));
  }
}
