import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Log } from '../../logging/log';
import { OutboxStore } from '../outbox-store';

/** Replays one dead letter or all. @returns the number of replayed letters. */
export class ReplayDeadLettersCommand extends Command<number> {
  constructor(
    /** The outbox id; null for all. */
    readonly id: string | null,
    /** Name of the requester, for the log. */
    readonly by: string,
  ) {
    super();
  }
}

@CommandHandler(ReplayDeadLettersCommand)
export class ReplayDeadLettersHandler implements ICommandHandler<ReplayDeadLettersCommand> {
  constructor(
    private readonly outbox: OutboxStore,
    private readonly log: Log,
  ) {}

  async execute({ id, by }: ReplayDeadLettersCommand): Promise<number> {
    const count = await this.outbox.replay(id);
    this.log.event('info', 'escalation.replayed', { id, count, by }, 'dead letters are tried again');
    return count;
  }
}
