import { Command, CommandHandler, QueryBus, type ICommandHandler } from '@nestjs/cqrs';
import { SummarizePendingQuery } from '../../../approvals/queries/summarize-pending';
import { Log } from '../../../logging/log';
import { CardStore } from '../card-store';
import { formatLane } from '../lane';
import { Destination } from '../destination';
import { OutboxStore } from '../../../outbox/outbox-store';

/** No replica polled Telegram between two moments, for longer than Telegram keeps taps. */
export class ReportGapCommand extends Command<void> {
  constructor(
    readonly from: Date,
    readonly to: Date,
  ) {
    super();
  }
}

/** Notifies the operators once, and updates every open card to its current state (telegram.md 12). */
@CommandHandler(ReportGapCommand)
export class ReportGapHandler implements ICommandHandler<ReportGapCommand> {
  constructor(
    private readonly outbox: OutboxStore,
    private readonly cards: CardStore,
    private readonly queries: QueryBus,
    private readonly destination: Destination,
    private readonly log: Log,
  ) {}

  async execute({ from, to }: ReportGapCommand): Promise<void> {
    const outcomes = await this.cards.enqueueMissingOutcomes();
    const { pending } = await this.queries.execute(new SummarizePendingQuery());
    this.log.event('warn', 'telegram.gap', { from, to, pending, outcomes }, 'taps may have been lost');
    // Without pending requests operators need not tap again.
    if (pending === 0) return;
    const news = { fromMs: from.getTime(), toMs: to.getTime() };
    await this.outbox.enqueueNotice(formatLane(await this.destination.now()), news);
  }
}
