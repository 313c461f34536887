import { rmSync } from 'node:fs';

export default async function globalTeardown(): Promise<void> {
  const { testPostgres } = globalThis as { testPostgres?: { stop(): Promise<void>; dataDir: string } };
  await testPostgres?.stop();
  if (testPostgres) rmSync(testPostgres.dataDir, { recursive: true, force: true });
}
