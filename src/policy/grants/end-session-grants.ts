import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { GrantStore } from './grant-store';

/** Ends the grants of a session that an agent reports as ended. */
export class EndSessionGrantsCommand extends Command<void> {
  constructor(
    readonly keyId: string,
    readonly sessionId: string,
  ) {
    super();
  }
}

@CommandHandler(EndSessionGrantsCommand)
export class EndSessionGrantsHandler implements ICommandHandler<EndSessionGrantsCommand> {
  constructor(private readonly store: GrantStore) {}

  execute({ keyId, sessionId }: EndSessionGrantsCommand): Promise<void> {
    return this.store.endSession(keyId, sessionId);
  }
}
