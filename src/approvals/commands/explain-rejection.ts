import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Actor } from '../approval';
import { ApprovalStore } from '../approval-store';

/**
 * The operator who rejected says why, afterwards and once; only a rejection without a reason takes one.
 *
 * @returns whether it was taken.
 */
export class ExplainRejectionCommand extends Command<boolean> {
  constructor(
    readonly id: string,
    readonly by: Actor,
    readonly reason: string,
  ) {
    super();
  }
}

@CommandHandler(ExplainRejectionCommand)
export class ExplainRejectionHandler implements ICommandHandler<ExplainRejectionCommand> {
  constructor(private readonly store: ApprovalStore) {}

  execute({ id, by, reason }: ExplainRejectionCommand): Promise<boolean> {
    return this.store.explain(id, by, reason);
  }
}
