import { join } from 'node:path';
import { z } from 'zod';
import { flag, httpUrl, integer, optionalPort, section, setting, type ValuesOf } from './setting';
import { dataDirOf } from './storage';

export const OPERATION = section('Operation', {
  AUDIT_CHECKPOINT_FILE: setting(
    'File to which signed audit checkpoints are appended',
    z.string().optional(),
    { unset: '`DATA_DIR/audit-checkpoints.jsonl`' },
  ),
  METRICS_PUBLIC: flag('Serve `/metrics` without a key beyond loopback', false),
  METRICS_PORT: optionalPort(
    'Port of a listener of its own for `/metrics`, without a key; the main port then serves none. 0 takes a free one',
  ),
  METRICS_HOST: setting('Address of that listener', z.string().default('127.0.0.1')),
  SANDBOX_PORT: integer('Port of the Telegram sandbox', 0, 65_535, 8081),
  LOG_LEVEL: setting(
    '`fatal`, `error`, `warn`, `info`, `debug` or `trace`',
    z
      .enum(
        ['fatal', 'error', 'warn', 'info', 'debug', 'trace'],
        'must be fatal, error, warn, info, debug or trace',
      )
      .default('info'),
  ),
  LOG_FORMAT: setting(
    'Form of the log, `json` or `pretty`',
    z.enum(['json', 'pretty'], 'must be json or pretty').optional(),
    { unset: '`json`, on a terminal `pretty`' },
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: setting('URL to which traces are sent', httpUrl.optional(), {
    unset: 'tracing off',
  }),
});

export const operationOf = (
  env: ValuesOf<typeof OPERATION> & { readonly DATA_DIR?: string | undefined },
  terminal: boolean,
) => ({
  audit: { checkpointFile: env.AUDIT_CHECKPOINT_FILE ?? join(dataDirOf(env), 'audit-checkpoints.jsonl') },
  metrics: {
    public: env.METRICS_PUBLIC,
    listener: env.METRICS_PORT === undefined ? null : { host: env.METRICS_HOST, port: env.METRICS_PORT },
  },
  sandbox: { port: env.SANDBOX_PORT },
  log: {
    level: env.LOG_LEVEL,
    format: env.LOG_FORMAT ?? (terminal ? ('pretty' as const) : ('json' as const)),
  },
  tracing: { endpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT ?? null },
});
