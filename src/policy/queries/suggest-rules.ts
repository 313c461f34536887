import { Inject } from '@nestjs/common';
import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { readPolicy } from '../document/read-policy';
import { PolicyStore } from '../policy-store';
import { RequestHistory } from '../request-history';
import type { DecidedRequest } from '../suggest/decided-request';
import { suggestRules, type Suggestions } from '../suggest/suggest-rules';
import { AGENT_TOOLS, type ToolShapes } from '../tool-shapes';

/** Decisions that suggestions rest on: the latest of more. */
const MAX_DECISIONS = 20_000;

/** Suggests rules that would have saved people's approvals, with the replay of each. Applies nothing. */
export class SuggestRulesQuery extends Query<Suggestions> {
  constructor(readonly since: Date) {
    super();
  }
}

@QueryHandler(SuggestRulesQuery)
export class SuggestRulesHandler implements IQueryHandler<SuggestRulesQuery> {
  constructor(
    private readonly history: RequestHistory,
    private readonly store: PolicyStore,
    @Inject(AGENT_TOOLS) private readonly shapes: ToolShapes,
  ) {}

  async execute({ since }: SuggestRulesQuery): Promise<Suggestions> {
    const decisions: DecidedRequest[] = [];
    for await (const page of this.history.since(since)) {
      for (const { request, at, decided } of page)
        if (decided) decisions.push({ request, at, verdict: decided.verdict });
      decisions.splice(0, decisions.length - MAX_DECISIONS);
    }
    const { version } = await this.store.state();
    const active = version === null ? null : await this.store.find(version);
    return suggestRules(decisions, this.shapes, active ? readPolicy(active.document).policy : undefined);
  }
}
