import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Hold } from '../approval';
import { ApprovalStore } from '../approval-store';

/**
 * The caller that waits is about to be told how the request ended. Of all that ever waited, one is.
 *
 * @returns whether it is this one: false when another came after it.
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
