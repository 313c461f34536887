import { SystemClock } from '../../../kernel/clock';
import { seen, skipped, warning, type Check } from '../check';

/** Decisions and timeouts go by the database's clock alone; what suffers are logs, receipts and whoever compares. */
const TOLERATED_MS = 2_000;

const NOW = {
  name: 'doctor-now',
  text: 'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
};

/** This machine and the database agree on the time. */
export const clockCheck: Check = {
  name: 'clock',
  async examine({ reached }) {
    if (reached.database === null) return skipped('needs the database');
    const clock = new SystemClock();
    const before = clock.now().getTime();
    const [row] = await reached.database.query<{ ms: number }>(NOW, []);
    const after = clock.now().getTime();
    const aheadMs = (before + after) / 2 - (row?.ms ?? Number.NaN);
    const note = `${Math.abs(aheadMs / 1_000).toFixed(1)} s ${aheadMs < 0 ? 'behind' : 'ahead of'} the database`;
    if (Math.abs(aheadMs) <= TOLERATED_MS + (after - before)) return seen(note);
    return seen(
      note,
      warning(
        `the clock of this machine is ${note}`,
        'synchronise both machines with NTP (timedatectl status)',
      ),
    );
  },
};
