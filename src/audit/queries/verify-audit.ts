import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { AuditVerification, type Verified } from '../audit-verification';

/** Verifies the whole audit log against its seals. */
export class VerifyAuditQuery extends Query<Verified> {}

@QueryHandler(VerifyAuditQuery)
export class VerifyAuditHandler implements IQueryHandler<VerifyAuditQuery> {
  constructor(private readonly verification: AuditVerification) {}

  execute(): Promise<Verified> {
    return this.verification.verify();
  }
}
