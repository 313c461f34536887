import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { Progress } from '../../http/progress-lines';
import { PolicyThreads } from '../policy-threads';
import type { ReplayResult } from '../replay-result';
import { RequestHistory, type PastRequest } from '../request-history';

type Report = (progress: Progress) => void;

/** Replays the stored requests against a document. Rejects with `policy.invalid`. */
export class TestPolicyQuery extends Query<ReplayResult> {
  constructor(
    readonly text: string,
    readonly since: Date,
    /** Receives the progress; null: nobody asks for it. */
    readonly report: Report | null = null,
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

  execute({ text, since, report }: TestPolicyQuery): Promise<ReplayResult> {
    const pages = report ? this.reported(since, report) : this.history.since(since);
    return this.threads.replay(text, pages);
  }

  private async *reported(since: Date, report: Report): AsyncGenerator<readonly PastRequest[]> {
    const of = await this.history.count(since);
    let done = 0;
    for await (const page of this.history.since(since)) {
      yield page;
      done += page.length;
      report({ done, of });
    }
  }
}
