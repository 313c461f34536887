import { BacklogStore } from '../../../operations/metrics/backlog-store';
import { seen, skipped, warning, type Check } from '../check';

/** A running service sends rows about two seconds after they are written. */
const LATE_SECONDS = 60;

/** Checks that `AUDIT_STREAM` takes the rows of the audit log. */
export const auditStreamCheck: Check = {
  name: 'audit-stream',
  async examine({ reached, config }) {
    if (config.auditStream === null) return skipped('not configured here (AUDIT_STREAM is unset)');
    if (reached.database === null) return skipped('needs the database');
    const { auditStreamLagRows, auditStreamLagSeconds } = await new BacklogStore(reached.database).count();
    const findings = [];
    if (auditStreamLagSeconds > LATE_SECONDS) {
      findings.push(
        warning(
          `AUDIT_STREAM has not taken ${auditStreamLagRows} rows, the oldest is ${Math.round(auditStreamLagSeconds)} s old`,
          'nothing is lost: they stay until it takes them; "audit.stream-failed" in the log has the reason, ' +
            'docs/runbooks/CountersignAuditNotStreamed.md the mend',
        ),
      );
    }
    return seen(`${auditStreamLagRows} rows wait`, ...findings);
  },
};
