import { buildAgentFile } from '../../support/agent-file';
import globalSetup from '../../support/global-setup';

/** As for all tests, with the program of an agent's machine. */
export default async function setUp(): Promise<void> {
  buildAgentFile();
  await globalSetup();
}
