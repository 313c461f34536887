import { Module } from '@nestjs/common';
import { ReceiptsModule } from '../receipts/receipts.module';
import { AuditCheckpoints } from './audit-checkpoints';
import { AuditSealer } from './audit-sealer';
import { AuditStore } from './audit-store';
import { AuditVerification } from './audit-verification';
import { AuditWatch } from './audit-watch';
import { AuditController } from './audit.controller';
import { ExportCheckpointHandler } from './commands/export-checkpoint';
import { AuditPageHandler } from './queries/audit-page';
import { CheckpointsHandler } from './queries/checkpoints';
import { SealedPageHandler } from './queries/sealed-page';
import { SearchAuditHandler } from './queries/search-audit';
import { AuditStream } from './stream/audit-stream';
import { VerifyAuditHandler } from './queries/verify-audit';

@Module({
  imports: [ReceiptsModule],
  controllers: [AuditController],
  providers: [
    AuditStore,
    AuditSealer,
    AuditCheckpoints,
    AuditVerification,
    AuditWatch,
    AuditStream,
    AuditPageHandler,
    SealedPageHandler,
    SearchAuditHandler,
    CheckpointsHandler,
    VerifyAuditHandler,
    ExportCheckpointHandler,
  ],
  exports: [AuditVerification],
})
export class AuditModule {}
