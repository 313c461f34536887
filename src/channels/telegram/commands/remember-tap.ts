import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CountedTapStore } from '../counted-tap-store';

/** Remembers a tap that counted: delivered again, it counts no second time. */
export class RememberTapCommand extends Command<void> {
  constructor(readonly queryId: string) {
    super();
  }
}

@CommandHandler(RememberTapCommand)
export class RememberTapHandler implements ICommandHandler<RememberTapCommand> {
  constructor(private readonly taps: CountedTapStore) {}

  execute({ queryId }: RememberTapCommand): Promise<void> {
    return this.taps.add(queryId);
  }
}
