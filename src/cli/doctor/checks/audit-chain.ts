import { checkpointsInFile } from '../../../audit/audit-checkpoints';
import { AuditStore } from '../../../audit/audit-store';
import { verifyChain } from '../../../audit/verify-chain';
import { BacklogStore } from '../../../metrics/backlog-store';
import { SigningKeyStore } from '../../../receipts/signing-key-store';
import { progress } from '../../output';
import { error, seen, skipped, warning, type Check } from '../check';

/** Seals are a second behind. */
const LATE_SECONDS = 60;

/** The audit log is as it was sealed, all of it; the last look, since it takes as long as the log is. */
export const auditChainCheck: Check = {
  name: 'audit-chain',
  async examine({ reached, config }) {
    if (reached.database === null) return skipped('needs the database');
    const store = new AuditStore(reached.database);
    const checkpoints = [
      ...(await store.checkpoints()),
      ...(await checkpointsInFile(config.audit.checkpointFile)),
    ];
    const { rows, firstBad } = await verifyChain(
      {
        batches: () => store.allSealed(),
        checkpoints: [...new Set(checkpoints)],
        keys: { keys: await new SigningKeyStore(reached.database).all() },
      },
      progress('audit-chain: verified'),
    );
    const { auditUnsealed, auditSealLagSeconds } = await new BacklogStore(reached.database).count();
    const findings = [];
    if (firstBad !== null) {
      findings.push(
        error(
          `the audit log does not hold from seq ${firstBad.seq} on: ${firstBad.reason}`,
          'repair nothing, keep a copy of the database and of AUDIT_CHECKPOINT_FILE; docs/runbooks/CountersignAuditBroken.md',
        ),
      );
    }
    if (auditSealLagSeconds > LATE_SECONDS) {
      findings.push(
        warning(
          `${auditUnsealed} rows have no seal yet, the oldest for ${Math.round(auditSealLagSeconds)} s`,
          'a running service seals them: start it, or see docs/runbooks/CountersignAuditUnsealed.md',
        ),
      );
    }
    return seen(
      `${rows} rows ${firstBad === null ? 'hold' : 'read'}, ${auditUnsealed} not sealed yet`,
      ...findings,
    );
  },
};
