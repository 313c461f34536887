import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres';
import { makeTemplate } from './database';

/** One real PostgreSQL for the whole run; every test file makes databases of its own in it. */
export default async function globalSetup(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-test-'));
  // Passable, so that a run as root keeps its cluster here and removes it in the end.
  chmodSync(dataDir, 0o711);
  const postgres = await startEmbeddedPostgres({ dataDir, log: () => undefined });
  process.env.TEST_POSTGRES_URL = postgres.ownerUrl;
  process.env.TEST_POSTGRES_SERVICE_URL = postgres.url;
  (globalThis as { testPostgres?: { stop(): Promise<void>; dataDir: string } }).testPostgres = {
    stop: () => postgres.stop(),
    dataDir,
  };
  await makeTemplate();
}
