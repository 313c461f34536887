import type { QueryBus } from '@nestjs/cqrs';
import type { Approval } from '../approvals/approval';
import { FindOpenCallsQuery } from '../approvals/queries/find-open-calls';

/** All open calls, oldest first. Reads page by page, since requests may be large. */
export async function* openCalls(
  queries: QueryBus,
  filter: Omit<FindOpenCallsQuery['filter'], 'afterId'>,
): AsyncGenerator<Approval> {
  for (let afterId: string | null = null; ;) {
    const page: readonly Approval[] = await queries.execute(new FindOpenCallsQuery({ ...filter, afterId }));
    yield* page;
    const last = page.at(-1);
    if (!last) return;
    afterId = last.id;
  }
}
