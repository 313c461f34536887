import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keysInEnvFile } from '../own-keys';
import {
  environment,
  hookCommandOf,
  isHookCommand,
  PROMPT,
  HOOK_SECONDS,
  type ConnectedAgent,
} from '../connected-agent';

/** The name of the key where Gemini CLI removes every other from the environment of its hooks. */
const RENAMED = 'GEMINI_CLI_COUNTERSIGN_KEY';

/** Answers that Gemini CLI plays in place of its model: one call of its shell, and an end. */
function scriptIn(folder: string, command: string): string {
  const shell = { name: 'run_shell_command', args: { command, description: 'The canary' } };
  const turn = (part: object) => ({
    candidates: [{ content: { role: 'model', parts: [part] }, finishReason: 'STOP', index: 0 }],
    usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
  });
  const stream = (part: object) => ({ method: 'generateContentStream', response: [turn(part)] });
  const path = join(folder, 'responses.jsonl');
  const lines = [stream({ functionCall: shell }), stream({ text: 'Done.' })];
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return path;
}

export const GEMINI_CLI: ConnectedAgent = {
  name: 'gemini',
  title: 'Gemini CLI',
  programs: ['gemini'],
  scopes: ['user', 'project'],
  settings: (place) => {
    const { env, home, cwd, scope } = place;
    const folder = scope === 'project' ? cwd : env.GEMINI_CLI_HOME || home;
    const command = hookCommandOf(place, 'gemini');
    return Promise.resolve([
      {
        path: join(folder, '.gemini', 'settings.json'),
        format: 'json',
        wants: [
          {
            path: ['hooks', 'BeforeTool'],
            hook: { type: 'command', command, timeout: HOOK_SECONDS * 1000 },
            isOurs: (hook) => isHookCommand(hook.command, 'gemini'),
            matcher: '*',
          },
        ],
        refuses: [
          {
            path: ['hooksConfig', 'enabled'],
            is: (value) => value === false,
            meaning: 'no hook is called',
          },
        ],
      },
    ]);
  },
  gaps: () => [],
  ownKeys: ({ env, home }) => [
    ...(env[RENAMED] === undefined ? [] : [{ where: RENAMED, key: env[RENAMED] }]),
    ...keysInEnvFile(join(env.GEMINI_CLI_HOME || home, '.gemini', '.env'), [RENAMED, 'COUNTERSIGN_KEY']),
  ],
  call: () => ({ text: 'Gemini CLI plays its answers from a file.' }),
  canary: (place, { program, folder, command }) => ({
    file: program ?? 'gemini',
    args: [
      ...['-p', PROMPT, '--skip-trust', '-m', 'gemini-2.5-flash'],
      // Without a person, Gemini CLI offers no shell in its default mode; the hook must deny in every mode.
      ...['--approval-mode', 'yolo', '--fake-responses-non-strict', scriptIn(folder, command)],
    ],
    env: environment(place.env, [], { GEMINI_API_KEY: 'none-is-needed-here' }),
  }),
  opensIf: 'the hook’s own timeout passes, or the hook is taken out of the settings',
  note: null,
};
