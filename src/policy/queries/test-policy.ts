import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { PolicyThreads } from '../policy-threads';
import type { ReplayResult } from '../replay-result';
import { RequestHistory } from '../request-history';

/** Replays the stored requests against a document. Rejects with `policy.invalid`. */
export class TestPolicyQuery extends Query<ReplayResult> {
  constructor(
    readonly text: string,
    readonly since: Date,
  ) {
    super();
  }
}

@QueryHandler(TestPolicyQuery)
export class TestPolicyHandler implements IQueryHandler<TestPolicyQuery> {
  constructor(
    private readonly history: RequestHistory,
    private readonly threads: PolicyThreads,
  ) {}

  execute({ text, since }: TestPolicyQuery): Promise<ReplayResult> {
    return this.threads.replay(text, this.history.since(since));
  }
}
