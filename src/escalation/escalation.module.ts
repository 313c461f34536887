import { Module } from '@nestjs/common';
import { CardStore } from './card-store';
import { ReportGapHandler } from './commands/report-gap';
import { TapCardHandler } from './commands/tap-card';
import { Escalation } from './escalation';
import { EscalationWorker } from './escalation-worker';
import { OutboxStore } from './outbox-store';
import { OverviewHandler } from './queries/overview';

/** Needs an OperatorChat, which the module of the chat provides. */
@Module({
  providers: [
    OutboxStore,
    CardStore,
    Escalation,
    EscalationWorker,
    TapCardHandler,
    ReportGapHandler,
    OverviewHandler,
  ],
})
export class EscalationModule {}
