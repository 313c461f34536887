import { BacklogStore } from '../../../operations/metrics/backlog-store';
import { error, seen, skipped, warning, type Check } from '../check';

/** Cards and outcomes normally reach the chat within seconds. */
const LATE_SECONDS = 60;
/** The sweep runs every few seconds. */
const UNSWEPT_SECONDS = 60;

const UNSWEPT = {
  name: 'doctor-unswept',
  text: `
  select count(*)::int as count from approvals
  where status = 'pending' and expires_at < now() - make_interval(secs => $1)`,
};

/** Checks that cards are sent, and that requests expire, in time. */
export const queueCheck: Check = {
  name: 'queue',
  async examine({ reached, config, telegram }) {
    if (reached.database === null) return skipped('needs the database');
    const backlog = await new BacklogStore(reached.database).count();
    const [unswept] = await reached.database.query<{ count: number }>(UNSWEPT, [
      config.approvals.gracePeriodSeconds + UNSWEPT_SECONDS,
    ]);
    const findings = [];
    if ((unswept?.count ?? 0) > 0) {
      findings.push(
        error(
          `${unswept?.count ?? 0} requests expired over ${UNSWEPT_SECONDS} s ago and are pending still`,
          'no replica sweeps: start one, or look for "sweep" in the log; nothing expired can be approved meanwhile',
        ),
      );
    }
    if (telegram !== null && backlog.outboxOldestSeconds > LATE_SECONDS) {
      findings.push(
        warning(
          `a card or outcome has been waiting for ${Math.round(backlog.outboxOldestSeconds)} s`,
          'see the findings about telegram and breaker; operators can decide with "countersign approvals" meanwhile',
        ),
      );
    }
    if (backlog.outboxDead > 0) {
      findings.push(
        warning(
          `${backlog.outboxDead} messages were given up`,
          'GET /api/diagnostics/outbox says why; POST /api/diagnostics/outbox/replay sends them again',
        ),
      );
    }
    return seen(`${backlog.pending} pending, ${backlog.outboxDue} for Telegram`, ...findings);
  },
};
