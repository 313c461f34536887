import type { LoggerService } from '@nestjs/common';
import { pino, type DestinationStream, type Logger } from 'pino';
import { describeError } from '../kernel/describe-error';
import { currentCorrelationId } from './correlation';
import { createRedactor } from './redact';

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** Events as one JSON object a line: `time`, `level`, `event`, `msg`, `correlationId` and the event's own fields. */
export class Log {
  constructor(private readonly logger: Logger) {}

  /** `event` names the event, dotted (`approval.enqueued`); `fields` never hold a secret. */
  event(level: LogLevel, event: string, fields: object, message: string): void {
    this.logger[level]({ event, ...fields }, message);
  }
}

/**
 * Lines are buffered, because a write for each takes a thread and its CPU from waiting callers. The buffer is written
 * at this interval, at this size, and before the process ends, unless it is killed.
 */
const WRITE_EVERY_MS = 100;
const WRITE_BYTES = 8_192;

function standardOutput(format: 'json' | 'pretty'): DestinationStream {
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
export function createLog({ level, format, secrets }: LogOptions, sink = standardOutput(format)): Log {
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
  return new Log(
    pino(settings, {
      write: (line: string) => {
        sink.write(redact(line));
      },
    }),
  );
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
