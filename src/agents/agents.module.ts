import { Module } from '@nestjs/common';
import { FinishedApprovals } from '../approvals/finished-approvals';
import { KeyTurns } from '../access/key-turns';
import { ADAPTERS } from './adapters';
import { CallsNeverFail } from './calls-never-fail';
import { HeldCalls } from './held-calls';
import { ReadingCalls } from './reading-calls';
import { UnknownTools } from './unknown-tools';

@Module({
  controllers: ADAPTERS.map(({ controller }) => controller),
  providers: [
    ...ADAPTERS.flatMap(({ providers }) => providers),
    CallsNeverFail,
    FinishedApprovals,
    HeldCalls,
    ReadingCalls,
    { provide: KeyTurns, useFactory: () => new KeyTurns('reports and cancellations') },
    UnknownTools,
  ],
  exports: [HeldCalls],
})
export class ConnectorsModule {}
