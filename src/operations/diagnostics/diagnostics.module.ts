import { Module } from '@nestjs/common';
import { BreakerReport } from './breaker-report';
import { DatabaseFactsStore } from './database-facts-store';
import { DatabaseReport } from './database-report';
import { DiagnosticsController } from './diagnostics.controller';
import { OutboxController } from './outbox.controller';
import { MetricsReport } from './metrics-report';
import { TelegramActivity } from './telegram-activity';
import { TelegramReport } from './telegram-report';

/** Needs MetricsModule. */
@Module({
  controllers: [DiagnosticsController, OutboxController],
  providers: [
    MetricsReport,
    DatabaseReport,
    DatabaseFactsStore,
    TelegramActivity,
    TelegramReport,
    BreakerReport,
  ],
})
export class DiagnosticsModule {}
