import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** What the address of the HTTP hook ends with, at whatever service. */
const HOOK = '/connectors/claude-code/hook';

/** Of the machine: what its administrator wants of every Claude Code. */
const MANAGED = ['/etc/claude-code', '/Library/Application Support/ClaudeCode'];

/**
 * The HTTP hook beside us would be asked for every tool as well, without the key, which the agent does not get, and deny
 * each.
 *
 * @throws Error naming the settings file that has it.
 */
export function requireNoHook(cwd: string): void {
  const path = settingsFiles(cwd).find(
    (file) => existsSync(file) && readFileSync(file, 'utf8').includes(HOOK),
  );
  if (path === undefined) return;
  throw new Error(
    `${path} has Claude Code ask by the hook ${HOOK}, which denies every tool of an agent that runs under countersign run. Take the hook out there, or start claude itself, which then asks by the hook`,
  );
}

/** Where Claude Code looks for hooks. */
function settingsFiles(cwd: string): string[] {
  const ofUser = process.env.CLAUDE_CONFIG_DIR ?? join(homedir(), '.claude');
  const ofProject = join(cwd, '.claude');
  return [
    join(ofUser, 'settings.json'),
    join(ofProject, 'settings.json'),
    join(ofProject, 'settings.local.json'),
    ...MANAGED.flatMap((folder) => [
      join(folder, 'managed-settings.json'),
      ...filesIn(`${folder}/managed-settings.d`),
    ]),
  ];
}

function filesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}
