import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { CountedTapStore } from '../counted-tap-store';

/** True if this very tap has counted before. */
export class HasCountedQuery extends Query<boolean> {
  constructor(readonly queryId: string) {
    super();
  }
}

@QueryHandler(HasCountedQuery)
export class HasCountedHandler implements IQueryHandler<HasCountedQuery> {
  constructor(private readonly taps: CountedTapStore) {}

  execute({ queryId }: HasCountedQuery): Promise<boolean> {
    return this.taps.has(queryId);
  }
}
