import { rmSync } from 'node:fs';
import globalTeardown from '../support/global-teardown';

export default async function tearDown(): Promise<void> {
  await globalTeardown();
  const directory = process.env.TEST_CLAUDE_DIRECTORY;
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
}
