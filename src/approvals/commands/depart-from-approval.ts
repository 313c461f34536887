import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Departure } from '../approval';
import { ApprovalStore } from '../approval-store';

/**
 * A caller that waited does so no longer.
 *
 * @returns with what the request may be cancelled as abandoned; null while others wait, or when it has ended.
 */
export class DepartFromApprovalCommand extends Command<Departure | null> {
  constructor(readonly id: string) {
    super();
  }
}

@CommandHandler(DepartFromApprovalCommand)
export class DepartFromApprovalHandler implements ICommandHandler<DepartFromApprovalCommand> {
  constructor(private readonly store: ApprovalStore) {}

  execute({ id }: DepartFromApprovalCommand): Promise<Departure | null> {
    return this.store.depart(id);
  }
}
