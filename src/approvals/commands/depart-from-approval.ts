import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Hold, Left } from '../approval';
import { ApprovalStore } from '../approval-store';

/**
 * Records that a caller no longer waits and did not receive the ending; the request may be joined again.
 *
 * @returns the request as it is left, and the departure with which it may be cancelled as abandoned; null when another caller waits, or it
 * has ended.
 */
export class DepartFromApprovalCommand extends Command<Left | null> {
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

  execute({ id, hold }: DepartFromApprovalCommand): Promise<Left | null> {
    return this.store.depart(id, hold);
  }
}
