import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { AuditVerification, type Verified } from '../audit-verification';

/** Whether the audit log is as it was sealed; reads all of it. */
export class VerifyAuditQuery extends Query<Verified> {}

@QueryHandler(VerifyAuditQuery)
export class VerifyAuditHandler implements IQueryHandler<VerifyAuditQuery> {
  constructor(private readonly verification: AuditVerification) {}

  execute(): Promise<Verified> {
    return this.verification.verify();
  }
}
