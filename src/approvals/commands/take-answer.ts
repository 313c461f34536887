import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Hold } from '../approval';
import { ApprovalStore } from '../approval-store';

/**
 * Claims the delivery of the ending for a waiting caller. Exactly one of all callers gets it.
 *
 * @returns true if it is this one, false if another joined after it.
 */
export class TakeAnswerCommand extends Command<boolean> {
  constructor(
    readonly id: string,
    readonly hold: Hold,
  ) {
    super();
  }
}

@CommandHandler(TakeAnswerCommand)
export class TakeAnswerHandler implements ICommandHandler<TakeAnswerCommand> {
  constructor(private readonly store: ApprovalStore) {}

  execute({ id, hold }: TakeAnswerCommand): Promise<boolean> {
    return this.store.take(id, hold);
  }
}
