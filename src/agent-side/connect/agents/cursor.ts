import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  environment,
  hookCommandOf,
  HOOK_SECONDS,
  isHookCommand,
  type ConnectedAgent,
} from '../connected-agent';
import type { Want } from '../settings-edits';

const BLOCKED = 2;

/** As Cursor's documents say: exit code 2 blocks, an answer decides, and with `failClosed` all else blocks. */
function letsRun({ code, output }: { readonly code: number | null; readonly output: string }): boolean {
  if (code === BLOCKED) return false;
  try {
    return (JSON.parse(output) as { permission?: unknown }).permission !== 'deny';
  } catch {
    return false;
  }
}

export const CURSOR: ConnectedAgent = {
  name: 'cursor',
  title: 'Cursor',
  programs: ['cursor', 'cursor-agent'],
  scopes: ['user', 'project'],
  isHere: ({ home }) => existsSync(join(home, '.cursor')),
  settings: (place) => {
    const hook = { command: hookCommandOf(place, 'cursor'), timeout: HOOK_SECONDS, failClosed: true };
    const isOurs = ({ command }: { readonly command?: unknown }): boolean => isHookCommand(command, 'cursor');
    return Promise.resolve([
      {
        path: join(place.scope === 'project' ? place.cwd : place.home, '.cursor', 'hooks.json'),
        format: 'json',
        wants: [
          { path: ['version'], value: 1 },
          ...['beforeShellExecution', 'beforeMCPExecution'].map((event): Want => ({
            path: ['hooks', event],
            hook,
            isOurs,
          })),
        ],
      },
    ]);
  },
  gaps: () => [],
  call: () => ({ text: 'Cursor has its own models.' }),
  canary: (place, { command, name }) => ({
    file: 'sh',
    args: ['-c', hookCommandOf(place, 'cursor')],
    env: environment(place.env, [], {}),
    input: JSON.stringify({
      hook_event_name: 'beforeShellExecution',
      conversation_id: name,
      generation_id: name,
      cwd: place.cwd,
      workspace_roots: [place.cwd],
      command,
    }),
    letsRun,
  }),
  opensIf: null,
  note: 'proven by its hook command only: Cursor itself takes no scripted model, and nothing here was measured with it',
};
