import { buildAgentFile } from '../support/agent-file';
import { buildConsole } from '../support/console';
import globalSetup from '../support/global-setup';

/** As for all tests, with what services here serve and agents run: built once, since test files run beside each other. */
export default async function setUp(): Promise<void> {
  buildAgentFile();
  buildConsole();
  await globalSetup();
}
