import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Person } from '../../kernel/actor';
import { ApprovalStore } from '../approval-store';

/**
 * Adds the reason to a rejection afterwards, once, by the operator who rejected. A rejection that has a reason keeps
 * it.
 *
 * @returns true if the reason was added.
 */
export class ExplainRejectionCommand extends Command<boolean> {
  constructor(
    readonly id: string,
    readonly by: Person,
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
