import { Injectable } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type {
  ApprovalFilter,
  ApprovalSearch,
  ApprovalsFound,
  ApprovalState,
  Snapshot,
} from './approval-store';
import { CancelApprovalCommand } from './commands/cancel-approval';
import { SignReceiptsCommand } from './commands/sign-receipts';
import { GetApprovalQuery, GetApprovalStateQuery } from './queries/get-approval';
import { ListApprovalsQuery, type ApprovalPage } from './queries/list-approvals';
import { SearchApprovalsQuery } from './queries/search-approvals';
import type { Viewer } from '../kernel/viewer';
import { withReceipts } from './receipts-of';

const isOverdue = (status: string, endsInMs: number): boolean => status === 'pending' && endsInMs <= 0;

/**
 * Reads approvals for an answer. Queries only read: this ends overdue requests, and has missing receipts signed, by
 * commands of its own.
 */
@Injectable()
export class FinishedApprovals {
  constructor(
    private readonly queries: QueryBus,
    private readonly commands: CommandBus,
  ) {}

  /**
   * @param gone drops the read if it aborts before its turn; null: the read is needed in any case
   * @throws DomainError `approval.not-found`, `receipt.unavailable`
   */
  async get(id: string, viewer: Viewer, gone: AbortSignal | null = null): Promise<Snapshot> {
    const read = () => this.queries.execute(new GetApprovalQuery(id, viewer, gone));
    let found = await read();
    if (isOverdue(found.approval.status, found.endsInMs)) {
      await this.end([id]);
      found = await read();
    }
    const [finished = found] = await this.sign([found]);
    return finished;
  }

  /** Reads the state only. @throws DomainError `approval.not-found` */
  async stateOf(id: string, viewer: Viewer): Promise<ApprovalState> {
    const state = await this.queries.execute(new GetApprovalStateQuery(id, viewer));
    if (!isOverdue(state.status, state.endsInMs)) return state;
    await this.end([id]);
    return this.queries.execute(new GetApprovalStateQuery(id, viewer));
  }

  /** Newest first. @throws DomainError `receipt.unavailable` */
  list(filter: ApprovalFilter): Promise<ApprovalPage> {
    return this.page(() => this.queries.execute(new ListApprovalsQuery(filter)));
  }

  /** Newest first. @throws DomainError `receipt.unavailable`, `search.too-broad` */
  search(search: ApprovalSearch): Promise<ApprovalPage> {
    return this.page(() => this.queries.execute(new SearchApprovalsQuery(search)));
  }

  private async page(read: () => Promise<ApprovalsFound>): Promise<ApprovalPage> {
    let found = await read();
    const overdue = found.snapshots.filter(({ approval, endsInMs }) => isOverdue(approval.status, endsInMs));
    if (overdue.length > 0) {
      await this.end(overdue.map(({ approval }) => approval.id));
      found = await read();
    }
    const items = (await this.sign(found.snapshots)).map(({ approval }) => approval);
    return { items, nextBeforeId: found.more ? (items.at(-1)?.id ?? null) : null };
  }

  private end(ids: readonly string[]): Promise<unknown> {
    return this.commands.execute(new CancelApprovalCommand({ cause: 'timeout', ids }));
  }

  private sign(snapshots: readonly Snapshot[]): Promise<readonly Snapshot[]> {
    return withReceipts(snapshots, (missing) => this.commands.execute(new SignReceiptsCommand(missing)));
  }
}
