import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { CHECKOUT } from './processes';

/** The program for agents as `npm run build` makes it. */
export const AGENT_FILE = join(CHECKOUT, 'dist/agent/countersign-agent.cjs');

/** @param report the file that is to say which modules went in */
export function buildAgentFile(...report: string[]): void {
  execFileSync(process.execPath, [join(CHECKOUT, 'src/cli/bundle-agent.mjs'), ...report]);
}
