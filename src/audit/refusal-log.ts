import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database/database';
import type { JsonObject } from '../kernel/json';

const RECORD: Statement = {
  name: 'audit-record-refusal',
  text: `
  insert into audit_log (at, type, actor, approval_id, correlation_id, data)
  values (date_trunc('milliseconds', now()), $1, $2, $3, $4, $5)`,
};

/** Attempts that were refused; what succeeds writes its audit row in its own statement. */
@Injectable()
export class RefusalLog {
  constructor(private readonly database: Database) {}

  async record(refusal: {
    readonly type: string;
    readonly actor: string;
    readonly approvalId: string | null;
    readonly correlationId: string | null;
    readonly data: JsonObject;
  }): Promise<void> {
    const { type, actor, approvalId, correlationId, data } = refusal;
    await this.database.query(RECORD, [type, actor, approvalId, correlationId, JSON.stringify(data)]);
  }
}
