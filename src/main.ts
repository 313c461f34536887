import 'reflect-metadata';
import { startApp } from './app';
import { loadConfig } from './config/config.module';
import { createLog, describeError } from './logging/log';

async function main(): Promise<void> {
  const config = loadConfig();
  const log = createLog(config.log);
  const starting = startApp(config, log);
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // A second signal must not cut the drain short: whoever cannot wait has SIGKILL.
      if (stopping) return;
      stopping = true;
      log.event('info', 'service.stopping', { signal }, 'answering waiters and stopping');
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
  log.event('info', 'service.ready', { url: app.url }, `Countersign listens on ${app.url}`);
}

main().catch((error: unknown) => {
  process.stderr.write(`countersign: ${describeError(error)}\n`);
  process.exit(1);
});
