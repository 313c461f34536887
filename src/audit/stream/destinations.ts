import type { Config } from '../../config/environment';
import type { BUILD } from '../../kernel/build';
import type { Clock } from '../../kernel/clock';
import type { Log } from '../../logging/log';
import { appendLines } from '../append-lines';
import type { SealedRow } from '../seal';
import type { Destination } from './destination';
import { OtlpEndpoint } from './otlp-endpoint';
import { StreamFailure } from './stream-failure';
import { streamLine } from './stream-line';

const linesOf = (rows: readonly SealedRow[]): string => rows.map((row) => `${streamLine(row)}\n`).join('');

/** Opens the file for each batch, so that it may be renamed or cut while the service runs. */
const fileAt = (path: string): Destination => ({
  async send(rows) {
    try {
      await appendLines(path, linesOf(rows));
    } catch (cause) {
      throw new StreamFailure('unwritable', `cannot write to ${path}`, { cause });
    }
  },
});

/** Shares the way of the log, so that no line of either is cut by the other. */
const standardOutput = (log: Log): Destination => ({
  async send(rows) {
    try {
      await log.write(linesOf(rows));
    } catch (cause) {
      throw new StreamFailure('unwritable', 'cannot write to the standard output', { cause });
    }
  },
});

export function destinationOf(
  { to, headers }: NonNullable<Config['auditStream']>,
  log: Log,
  sender: { readonly version: (typeof BUILD)['version']; readonly replica: string },
  clock: Clock,
): Destination {
  switch (to.kind) {
    case 'file':
      return fileAt(to.path);
    case 'stdout':
      return standardOutput(log);
    case 'endpoint':
      return new OtlpEndpoint(to.url, headers, sender, clock);
  }
}
