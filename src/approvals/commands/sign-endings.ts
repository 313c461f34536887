import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Receipts } from '../../receipts/receipts';
import { ApprovalStore } from '../approval-store';

/**
 * Signs up to `limit` endings that nobody decided and that have no receipt, on whichever replica they ended.
 *
 * @returns their number. Rejects with `receipt.unavailable`.
 */
export class SignEndingsCommand extends Command<number> {
  constructor(readonly limit: number) {
    super();
  }
}

@CommandHandler(SignEndingsCommand)
export class SignEndingsHandler implements ICommandHandler<SignEndingsCommand> {
  constructor(
    private readonly store: ApprovalStore,
    private readonly receipts: Receipts,
  ) {}

  execute({ limit }: SignEndingsCommand): Promise<number> {
    return this.store.signEndings(limit, (ending) => this.receipts.sign(ending));
  }
}
