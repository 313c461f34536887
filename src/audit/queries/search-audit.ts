import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { AuditStore, type AuditFound, type AuditSearch } from '../audit-store';

/** Rows of the audit log that match, the newest first. */
export class SearchAuditQuery extends Query<AuditFound> {
  constructor(readonly search: AuditSearch) {
    super();
  }
}

@QueryHandler(SearchAuditQuery)
export class SearchAuditHandler implements IQueryHandler<SearchAuditQuery> {
  constructor(private readonly store: AuditStore) {}

  execute({ search }: SearchAuditQuery): Promise<AuditFound> {
    return this.store.search(search);
  }
}
