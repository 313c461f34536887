import { SystemClock } from '../../../kernel/clock';
import { seen, skipped, warning, type Check } from '../check';

/** Decisions and timeouts use only the database's clock; a difference distorts the times in logs and receipts. */
const TOLERATED_MS = 2_000;

const NOW = {
  name: 'doctor-now',
  text: 'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
};

/** Checks that the clocks of this machine and the database agree. */
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
