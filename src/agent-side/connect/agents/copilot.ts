import { join } from 'node:path';
import { environment, HOOK_SECONDS, PROMPT, WAIT_SECONDS, type ConnectedAgent } from '../connected-agent';
import type { Hook } from '../settings-edits';

const ROUTE = '/connectors/copilot/hook';

const isOurs = ({ url }: Hook): boolean => typeof url === 'string' && url.endsWith(ROUTE);

export const COPILOT: ConnectedAgent = {
  name: 'copilot',
  title: 'Copilot CLI',
  programs: ['copilot'],
  scopes: ['user'],
  settings: ({ env, home, url }) => {
    const hook: Hook = {
      type: 'http',
      url: `${url}${ROUTE}`,
      timeoutSec: HOOK_SECONDS,
      headers: {
        Authorization: 'Bearer $COUNTERSIGN_KEY',
        'Countersign-Wait-Seconds': String(WAIT_SECONDS),
      },
      allowedEnvVars: ['COUNTERSIGN_KEY'],
    };
    return Promise.resolve([
      {
        path: join(env.COPILOT_HOME || join(home, '.copilot'), 'hooks', 'countersign.json'),
        format: 'json',
        wants: [
          { path: ['version'], value: 1 },
          { path: ['hooks', 'preToolUse'], hook, isOurs },
        ],
      },
    ]);
  },
  gaps: ({ env, url }) => [
    ...(url.startsWith('http://') && env.COPILOT_HOOK_ALLOW_LOCALHOST !== '1'
      ? [
          'a plain http:// address is dropped in silence: set COPILOT_HOOK_ALLOW_LOCALHOST=1 where copilot starts',
        ]
      : []),
    ...(env.COPILOT_ALLOW_ALL === undefined
      ? []
      : ['COPILOT_ALLOW_ALL is set, so tools run where the hook fails: unset it where copilot starts']),
  ],
  call: (command) => ({ tool: 'bash', input: { command, description: 'The canary' } }),
  canary: (place, { modelUrl, program }) => ({
    file: program ?? 'copilot',
    args: ['-p', PROMPT],
    env: environment(place.env, [], {
      COPILOT_OFFLINE: 'true',
      COPILOT_PROVIDER_BASE_URL: `${modelUrl}/v1`,
      COPILOT_MODEL: 'gpt-4.1',
      COPILOT_AUTO_UPDATE: 'false',
    }),
  }),
  opensIf: 'it is started with --allow-all-tools, and the answer is broken or comes after the hook’s timeout',
  note: null,
};
