import { Module, type DynamicModule } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { ScheduleModule } from '@nestjs/schedule';
import { AccessModule } from './access/access.module';
import { ApprovalsModule } from './approvals/approvals.module';
import { AuditModule } from './audit/audit.module';
import { ConfigModule } from './config/config.module';
import type { Config } from './config/environment';
import { TOOL_SHAPES } from './agents/adapters';
import { ConnectorsModule } from './agents/agents.module';
import type { DatabaseLocation } from './database/database-location';
import { ENTITIES } from './entities';
import { DatabaseModule } from './database/database.module';
import { AgentFileModule } from './operations/agent-file/agent-file.module';
import { DiagnosticsModule } from './operations/diagnostics/diagnostics.module';
import { ConsoleModule } from './channels/console/console.module';
import { ChannelsModule } from './channels/channels.module';
import { HealthModule } from './operations/health/health.module';
import { HttpModule } from './http/http.module';
import type { Log } from './logging/log';
import { LoggingModule } from './logging/logging.module';
import { BUILD } from './kernel/build';
import { MetricsModule } from './operations/metrics/metrics.module';
import { PeopleModule } from './people/people.module';
import { PolicyModule } from './policy/policy.module';
import { POLICY_LEVEL } from './policy/policy-level';
import { RetentionModule } from './retention/retention.module';
import { TelegramModule } from './channels/telegram/telegram.module';
import { TracingModule } from './tracing/tracing.module';

@Module({})
export class AppModule {
  static with(config: Config, log: Log, location: DatabaseLocation): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.with(config),
        LoggingModule.with(log),
        TracingModule.of({ name: 'countersign', version: BUILD.version }),
        DatabaseModule.at(location, { version: BUILD.version, policyLevel: POLICY_LEVEL }, ENTITIES),
        CqrsModule.forRoot(),
        ScheduleModule.forRoot(),
        HttpModule,
        AccessModule,
        PeopleModule,
        PolicyModule.with(TOOL_SHAPES),
        ApprovalsModule,
        AuditModule,
        ConnectorsModule,
        TelegramModule.with(config),
        ChannelsModule.with(config),
        ConsoleModule.with(config),
        RetentionModule,
        HealthModule,
        MetricsModule.create(config),
        DiagnosticsModule,
        AgentFileModule,
      ],
    };
  }
}
