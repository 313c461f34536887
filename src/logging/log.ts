import type { LoggerService } from '@nestjs/common';
import { pino, type Logger } from 'pino';
import { describeError } from '../kernel/describe-error';
import { currentCorrelationId } from './correlation';
import { createRedactor, type Redact } from './redact';

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

interface Sink {
  write(lines: string): unknown;
  flush?(done: (error?: NodeJS.ErrnoException | null) => void): void;
}

/** Events as one JSON object a line: `time`, `level`, `event`, `msg`, `correlationId` and the event's own fields. */
export class Log {
  constructor(
    private readonly logger: Logger,
    private readonly sink: Sink,
    private readonly redact: Redact,
  ) {}

  /** `event` names the event, dotted (`approval.enqueued`); `fields` never hold a secret. */
  event(level: LogLevel, event: string, fields: object, message: string): void {
    this.logger[level]({ event, ...fields }, message);
  }

  /** Writes whole lines of another kind between the log's own, redacted as they are; resolves once they are written. */
  async write(lines: string): Promise<void> {
    const accepted = this.sink.write(this.redact(lines));
    // Once nobody reads the standard output, pino drops all lines, and its `write` returns nothing.
    if (this.sink.flush && accepted === undefined) throw new Error('nobody reads the standard output');
    await new Promise<void>((done, failed) => {
      const end = (error?: NodeJS.ErrnoException | null): void => {
        // A pipe or terminal has what was written, and cannot be told to keep it on a disk.
        if (error && error.code !== 'EINVAL') failed(error);
        else done();
      };
      if (this.sink.flush) this.sink.flush(end);
      else end();
    });
  }
}

/**
 * Lines are buffered, because a write for each takes a thread and its CPU from waiting callers. The buffer is written
 * at this interval, at this size, and before the process ends, unless it is killed.
 */
const WRITE_EVERY_MS = 100;
const WRITE_BYTES = 8_192;

function standardOutput(format: 'json' | 'pretty'): Sink {
  if (format === 'json')
    return pino.destination({ dest: 1, sync: false, minLength: WRITE_BYTES, periodicFlush: WRITE_EVERY_MS });
  const options = { ignore: 'event', messageFormat: '{event}  {msg}', singleLine: true };
  return pino.transport({ target: 'pino-pretty', options });
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'json' | 'pretty';
  /** Values that must not appear in any line, in addition to all that looks like a secret. */
  readonly secrets?: readonly string[];
}

/** Creates a log that redacts every line as a whole on its way out, so that no field, message or stack is missed. */
export function createLog({ level, format, secrets }: LogOptions, sink: Sink = standardOutput(format)): Log {
  const redact = createRedactor(secrets);
  const settings = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    mixin: () => {
      const correlationId = currentCorrelationId();
      return correlationId === null ? {} : { correlationId };
    },
  };
  const lines = pino(settings, {
    write: (line: string) => {
      sink.write(redact(line));
    },
  });
  return new Log(lines, sink, redact);
}

/** Lets Nest and its modules log through our log. */
export class NestLog implements LoggerService {
  constructor(private readonly events: Log) {}

  private write(level: LogLevel, message: unknown, rest: unknown[]): void {
    const context = rest.at(-1);
    const text = message instanceof Error ? describeError(message) : String(message);
    this.events.event(level, 'framework', typeof context === 'string' ? { context } : {}, text);
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }
  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }
  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }
  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }
}
