import { createInterface } from 'node:readline';
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres';

/**
 * A service that is nothing but its embedded PostgreSQL: `node embedded-service.js DATA_DIR`.
 * Says what happens as one JSON object a line; ends after `stop` on its input. Ctrl-C is not its concern.
 */
const say = (event: string, fields: object): void => {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
};

async function main(dataDir: string): Promise<void> {
  const postgres = await startEmbeddedPostgres({
    dataDir,
    log: (_level, event, fields) => say(event, fields),
  });
  say('ready', {
    url: postgres.url,
    ownerUrl: postgres.ownerUrl,
    pid: postgres.pid,
    adopted: postgres.adopted,
  });
  for await (const line of createInterface({ input: process.stdin })) {
    if (line !== 'stop') continue;
    await postgres.stop();
    say('stopped', {});
    return;
  }
}

process.on('SIGINT', () => say('interrupted', {}));
main(process.argv[2] ?? '').then(
  () => process.exit(0),
  (error: unknown) => {
    say('failed', { message: error instanceof Error ? error.message : String(error) });
    process.exit(1);
  },
);
