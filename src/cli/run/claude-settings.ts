import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Path of the HTTP hook at any service. */
const HOOK = '/connectors/claude-code/hook';

/** Directories for the settings that an administrator prescribes for every Claude Code on the machine. */
const MANAGED = ['/etc/claude-code', '/Library/Application Support/ClaudeCode'];

/**
 * Refuses settings with the HTTP hook of Countersign. Claude Code would call the hook for every tool as well. The agent
 * does not have the API key, so the hook would deny every call.
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

/** Files in which Claude Code looks for hooks. */
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
