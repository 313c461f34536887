import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { ApprovalStore, type ApprovalState, type Snapshot } from '../approval-store';
import { findFor, notFound } from './viewer';
import { mayView, type Viewer } from '../../kernel/viewer';

/** Finds the approval, which may be overdue or lack its receipt. Rejects with `approval.not-found`. */
export class GetApprovalQuery extends Query<Snapshot> {
  /** @param gone drops the read if it aborts before its turn; null: the read is needed in any case */
  constructor(
    readonly id: string,
    readonly viewer: Viewer,
    readonly gone: AbortSignal | null = null,
  ) {
    super();
  }
}

@QueryHandler(GetApprovalQuery)
export class GetApprovalHandler implements IQueryHandler<GetApprovalQuery> {
  constructor(private readonly store: ApprovalStore) {}

  execute({ id, viewer, gone }: GetApprovalQuery): Promise<Snapshot> {
    return findFor(viewer, { store: this.store, id, gone });
  }
}

/** Finds the state of the request, as {@link GetApprovalQuery} does, but without its text, which may be large. */
export class GetApprovalStateQuery extends Query<ApprovalState> {
  constructor(
    readonly id: string,
    readonly viewer: Viewer,
  ) {
    super();
  }
}

@QueryHandler(GetApprovalStateQuery)
export class GetApprovalStateHandler implements IQueryHandler<GetApprovalStateQuery> {
  constructor(private readonly store: ApprovalStore) {}

  async execute({ id, viewer }: GetApprovalStateQuery): Promise<ApprovalState> {
    const found = await this.store.stateOf(id, viewer);
    if (!found || !mayView(viewer, found)) throw notFound();
    return found;
  }
}
