import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { Progress } from '../../http/progress-lines';
import type { Reader } from '../../kernel/viewer';
import { PolicyThreads } from '../policy-threads';
import type { ReplayResult } from '../replay-result';
import { RequestHistory, type PastRequest } from '../request-history';

type Report = (progress: Progress) => void;

/** Replays the stored requests that the reader sees (null: all) against a document. Rejects with `policy.invalid`. */
export class TestPolicyQuery extends Query<ReplayResult> {
  constructor(
    readonly text: string,
    readonly since: Date,
    readonly reader: Reader | null,
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

  execute({ text, since, reader, report }: TestPolicyQuery): Promise<ReplayResult> {
    const pages = report ? this.reported(since, reader, report) : this.history.since(since, reader);
    return this.threads.replay(text, pages);
  }

  private async *reported(
    since: Date,
    reader: Reader | null,
    report: Report,
  ): AsyncGenerator<readonly PastRequest[]> {
    const of = await this.history.count(since, reader);
    let done = 0;
    for await (const page of this.history.since(since, reader)) {
      yield page;
      done += page.length;
      report({ done, of });
    }
  }
}
