import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Receipts, type Shown } from '../../receipts/receipts';

/**
 * Signs and stores the receipts of settled approvals that have none: of those that nobody decided.
 *
 * @returns the receipt of each, by its id; an earlier one if it exists by now. Rejects with `receipt.unavailable`.
 */
export class SignReceiptsCommand extends Command<ReadonlyMap<string, string>> {
  constructor(readonly missing: readonly Shown[]) {
    super();
  }
}

@CommandHandler(SignReceiptsCommand)
export class SignReceiptsHandler implements ICommandHandler<SignReceiptsCommand> {
  constructor(private readonly receipts: Receipts) {}

  execute({ missing }: SignReceiptsCommand): Promise<ReadonlyMap<string, string>> {
    return this.receipts.issue(missing);
  }
}
