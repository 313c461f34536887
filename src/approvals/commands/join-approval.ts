import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Hold } from '../approval';
import { ApprovalStore } from '../approval-store';

/**
 * Attaches a caller that lost its connection to the same request again, on any replica.
 *
 * @returns null when the request cannot be joined: a caller waits for it, or the verdict was delivered. The agent can
 * then ask anew under its idempotency key.
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
