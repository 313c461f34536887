import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { AuditRow } from '../audit-chain';
import { AuditStore } from '../audit-store';

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
