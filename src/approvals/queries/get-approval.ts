import { CommandBus, Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { DomainError } from '../../kernel/errors';
import { ApprovalStore, type Snapshot } from '../approval-store';
import { CancelApprovalCommand } from '../commands/cancel-approval';

/** The requests that a caller may see: those made with one key, or all. */
export type Viewer = { readonly keyId: string } | 'everything';

export function mayView(viewer: Viewer, snapshot: Snapshot): boolean {
  return viewer === 'everything' || viewer.keyId === snapshot.approval.keyId;
}

/** Finds the approval; settles an overdue one first. Rejects with `approval.not-found`. */
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
  constructor(
    private readonly store: ApprovalStore,
    private readonly commands: CommandBus,
  ) {}

  async execute({ id, viewer, gone }: GetApprovalQuery): Promise<Snapshot> {
    const found = await this.read(id, viewer, gone);
    // Other keys' requests must look the same as missing ones.
    if (!found || !mayView(viewer, found)) {
      throw new DomainError('approval.not-found', 'There is no approval with this id.');
    }
    if (found.approval.status !== 'pending' || found.endsInMs > 0) return found;
    await this.commands.execute(new CancelApprovalCommand({ cause: 'timeout', ids: [id] }));
    return (await this.read(id, viewer, gone)) ?? found;
  }

  private read(id: string, viewer: Viewer, gone: AbortSignal | null): Promise<Snapshot | null> {
    return this.store.find(id, viewer === 'everything' ? null : viewer.keyId, gone);
  }
}
