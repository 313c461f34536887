import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { AuditStore } from '../audit-store';
import type { AuditRow } from '../seal';

/** Rows of the audit log by `seq`. Rows that commit late may appear below a page already read: see SealedPageQuery. */
export class AuditPageQuery extends Query<readonly (AuditRow & { readonly hash: string | null })[]> {
  constructor(
    readonly afterSeq: number,
    readonly limit: number,
  ) {
    super();
  }
}

@QueryHandler(AuditPageQuery)
export class AuditPageHandler implements IQueryHandler<AuditPageQuery> {
  constructor(private readonly store: AuditStore) {}

  execute({ afterSeq, limit }: AuditPageQuery) {
    return this.store.page(afterSeq, limit);
  }
}
