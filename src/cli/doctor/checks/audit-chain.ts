import { checkpointsInFile } from '../../../audit/audit-checkpoints';
import { AuditStore } from '../../../audit/audit-store';
import { verifyChain } from '../../../audit/verify-chain';
import { BacklogStore } from '../../../operations/metrics/backlog-store';
import { SigningKeyStore } from '../../../receipts/signing-key-store';
import { progress } from '../../output';
import { error, seen, skipped, warning, type Check } from '../check';

/** The service seals rows about a second after it writes them. */
const LATE_SECONDS = 60;

/** Verifies the complete audit log against its seals. It runs last, since its time grows with the log. */
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
