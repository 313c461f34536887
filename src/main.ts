import 'reflect-metadata';
import { startApp } from './app';
import { loadConfig } from './config/config.module';
import { describeError } from './kernel/describe-error';
import { createLog } from './logging/log';
import { createRedactor, type Redact } from './logging/redact';

/**
 * Maximum time of a stop after its notice. With a database that does not answer, everything that writes as it ends would
 * wait for its timeout, one after the other: longer than the 30 s after which orchestrators kill.
 */
const STOP_WITHIN_MS = 25_000;

let redact: Redact = createRedactor();

async function main(): Promise<void> {
  const config = loadConfig();
  redact = createRedactor(config.log.secrets);
  const log = createLog(config.log);
  // Node would print the error with all its properties, which may hold requests.
  process.on('uncaughtException', (error) => {
    const fields = { error: describeError(error), stack: error instanceof Error ? error.stack : undefined };
    log.event('fatal', 'service.crashed', fields, 'an error that nobody handled ends the service');
    process.exit(1);
  });
  const starting = startApp(config, log);
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // A second signal must not cut the drain short: whoever cannot wait has SIGKILL.
      if (stopping) return;
      stopping = true;
      log.event('info', 'service.stopping', { signal }, 'answering waiters and stopping');
      setTimeout(
        () => {
          log.event(
            'error',
            'service.stop-late',
            {},
            'something does not answer, and the service ends without it',
          );
          process.exit(1);
        },
        config.shutdown.noticeSeconds * 1_000 + STOP_WITHIN_MS,
      ).unref();
      // Signalled in the middle of the start: what was started by then, a database perhaps, must not be left behind.
      starting
        .then((app) => app.close())
        .then(
          () => process.exit(0),
          (error: unknown) => {
            log.event('error', 'service.stop-failed', { error: describeError(error) }, 'stopping failed');
            process.exit(1);
          },
        );
    });
  }
  const app = await starting;
  if (config.telegram === null) {
    const decide = 'decide with "countersign approvals" or over REST';
    log.event('warn', 'telegram.off', {}, `Telegram is off: nobody is shown requests; ${decide}`);
  }
  log.event('info', 'service.ready', { url: app.url }, `Countersign listens on ${app.url}`);
}

main().catch((error: unknown) => {
  process.stderr.write(`countersign: ${redact(describeError(error))}\n`);
  process.exit(1);
});
