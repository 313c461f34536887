import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildAgentFile } from '../support/agent-file';
import globalSetup from '../support/global-setup';

/** The newest, whatever Node.js it wants for its own launcher: the program in it needs none. */
const PACKAGE = `@anthropic-ai/claude-code@${process.env.CLAUDE_VERSION ?? 'latest'}`;

/** As for all tests, and the real Claude Code in a folder of its own; without it the tests are skipped, loudly. */
export default async function setUp(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'countersign-claude-'));
  process.env.TEST_CLAUDE_DIRECTORY = directory;
  const args = ['install', '--prefix', directory, '--ignore-scripts', '--no-audit', '--no-fund', PACKAGE];
  const { status, stderr } = spawnSync('npm', args, { encoding: 'utf8', cwd: directory });
  const program = status === 0 ? programIn(join(directory, 'node_modules', '@anthropic-ai')) : undefined;
  if (program === undefined) {
    const bar = '!'.repeat(100);
    console.error(
      `\n${bar}\nSKIPPED: ${PACKAGE} cannot be installed, so nothing is tested with the real CLI.\n${stderr}${bar}\n`,
    );
  } else {
    process.env.TEST_CLAUDE = program;
  }
  // The program that an agent's machine has is the one that runs the real Claude Code here.
  buildAgentFile();
  await globalSetup();
}

/** The program itself lies in a package of the platform; an install script, which did not run, would link it. */
function programIn(scope: string): string | undefined {
  return readdirSync(scope)
    .map((name) => join(scope, name, 'claude'))
    .find((path) => existsSync(path));
}
