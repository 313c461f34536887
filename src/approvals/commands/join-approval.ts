import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { ApprovalStore } from '../approval-store';

/** A caller comes to wait for a request that was asked before, on whichever replica: it is not abandoned. */
export class JoinApprovalCommand extends Command<void> {
  constructor(readonly id: string) {
    super();
  }
}

@CommandHandler(JoinApprovalCommand)
export class JoinApprovalHandler implements ICommandHandler<JoinApprovalCommand> {
  constructor(private readonly store: ApprovalStore) {}

  execute({ id }: JoinApprovalCommand): Promise<void> {
    return this.store.join(id);
  }
}
