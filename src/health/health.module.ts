import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ApprovalsModule } from '../approvals/approvals.module';
import { MigrationState } from '../database/migration-state';
import { Departure } from './departure';
import { HealthController } from './health.controller';

@Module({
  imports: [TerminusModule.forRoot({ logger: false }), ApprovalsModule],
  controllers: [HealthController],
  providers: [MigrationState, Departure],
})
export class HealthModule {}
