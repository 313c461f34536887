import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DirectLaneStore } from '../../../people/direct-lane-store';
import { CHANNEL, formatLane, NO_TOPIC } from '../lane';

/** A person wrote to the bot, which may write to them from now on. */
export class BeginDirectLaneCommand extends Command<void> {
  constructor(readonly userId: number) {
    super();
  }
}

@CommandHandler(BeginDirectLaneCommand)
export class BeginDirectLaneHandler implements ICommandHandler<BeginDirectLaneCommand> {
  constructor(private readonly lanes: DirectLaneStore) {}

  async execute({ userId }: BeginDirectLaneCommand): Promise<void> {
    const chatId = String(userId);
    await this.lanes.begin(CHANNEL, chatId, formatLane({ chatId, threadId: NO_TOPIC }));
  }
}
