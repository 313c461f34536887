import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Departure, Hold } from '../approval';
import { ApprovalStore } from '../approval-store';

/**
 * A caller that waited does so no longer, and was not told how the request ended: it may be joined again.
 *
 * @returns with what the request may be cancelled as abandoned; null when another waits, or it has ended.
 */
export class DepartFromApprovalCommand extends Command<Departure | null> {
  constructor(
    readonly id: string,
    readonly hold: Hold,
  ) {
    super();
  }
}

@CommandHandler(DepartFromApprovalCommand)
export class DepartFromApprovalHandler implements ICommandHandler<DepartFromApprovalCommand> {
  constructor(private readonly store: ApprovalStore) {}

  execute({ id, hold }: DepartFromApprovalCommand): Promise<Departure | null> {
    return this.store.depart(id, hold);
  }
}
