import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Hold } from '../approval';
import { ApprovalStore } from '../approval-store';

/**
 * A caller whose connection was lost comes back for the same, on whichever replica.
 *
 * @returns null when the request is not to be joined: somebody waits for it, or it has served. The same can then be
 * asked anew under its idempotency key.
 */
export class JoinApprovalCommand extends Command<Hold | null> {
  constructor(
    readonly id: string,
    readonly idempotencyKey: string,
  ) {
    super();
  }
}

@CommandHandler(JoinApprovalCommand)
export class JoinApprovalHandler implements ICommandHandler<JoinApprovalCommand> {
  constructor(private readonly store: ApprovalStore) {}

  async execute({ id, idempotencyKey }: JoinApprovalCommand): Promise<Hold | null> {
    const hold = await this.store.join(id);
    if (hold === null) await this.store.release(id, idempotencyKey);
    return hold;
  }
}
