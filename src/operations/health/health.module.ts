import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ApprovalsModule } from '../../approvals/approvals.module';
import { Departure } from './departure';
import { HealthController } from './health.controller';

@Module({
  imports: [TerminusModule.forRoot({ logger: false }), ApprovalsModule],
  controllers: [HealthController],
  providers: [Departure],
})
export class HealthModule {}
