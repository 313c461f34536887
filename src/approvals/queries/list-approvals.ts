import { CommandBus, Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { Approval } from '../approval';
import { ApprovalStore, type ApprovalFilter } from '../approval-store';
import { CancelApprovalCommand } from '../commands/cancel-approval';

export interface ApprovalPage {
  readonly items: readonly Approval[];
  /** The id to continue before, or null at the end. */
  readonly nextBeforeId: string | null;
}

/** Lists approvals, newest first; settles overdue ones first. */
export class ListApprovalsQuery extends Query<ApprovalPage> {
  constructor(readonly filter: ApprovalFilter) {
    super();
  }
}

@QueryHandler(ListApprovalsQuery)
export class ListApprovalsHandler implements IQueryHandler<ListApprovalsQuery> {
  constructor(
    private readonly store: ApprovalStore,
    private readonly commands: CommandBus,
  ) {}

  async execute({ filter }: ListApprovalsQuery): Promise<ApprovalPage> {
    let found = await this.store.list(filter);
    const overdue = found.snapshots.filter(
      ({ approval, endsInMs }) => approval.status === 'pending' && endsInMs <= 0,
    );
    if (overdue.length > 0) {
      const ids = overdue.map(({ approval }) => approval.id);
      await this.commands.execute(new CancelApprovalCommand({ cause: 'timeout', ids }));
      found = await this.store.list(filter);
    }
    const items = found.snapshots.map(({ approval }) => approval);
    return { items, nextBeforeId: found.more ? (items.at(-1)?.id ?? null) : null };
  }
}
