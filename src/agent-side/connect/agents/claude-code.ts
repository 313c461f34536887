import { join } from 'node:path';
import {
  environment,
  HOOK_SECONDS,
  PROMPT,
  WAIT_SECONDS,
  type ConnectedAgent,
  type Place,
} from '../connected-agent';
import { keyInSettings } from '../own-keys';
import type { Hook, Want } from '../settings-edits';

const ROUTE = '/connectors/claude-code/hook';
const REPORTS = ['PostToolUse', 'PostToolUseFailure', 'PermissionDenied'] as const;
const REPORT_SECONDS = 10;

const isOurs = ({ url }: Hook): boolean => typeof url === 'string' && url.endsWith(ROUTE);
const KEY = { allowedEnvVars: ['COUNTERSIGN_KEY'] };
const AUTHORIZATION = { Authorization: 'Bearer $COUNTERSIGN_KEY' };

/** The settings that an administrator prescribes for everybody on the machine. */
const MANAGED: Readonly<Partial<Record<NodeJS.Platform, string>>> = {
  darwin: '/Library/Application Support/ClaudeCode',
};

function fileOf({ env, home, cwd, scope }: Place): string {
  if (scope === 'managed')
    return join(MANAGED[process.platform] ?? '/etc/claude-code', 'managed-settings.json');
  if (scope === 'project') return join(cwd, '.claude', 'settings.json');
  return join(env.CLAUDE_CONFIG_DIR || join(home, '.claude'), 'settings.json');
}

function wantsOf(url: string): Want[] {
  const hook = { type: 'http', url: `${url}${ROUTE}` };
  const gate: Hook = {
    ...{ ...hook, timeout: HOOK_SECONDS, onFailure: 'block' },
    headers: { ...AUTHORIZATION, 'Countersign-Wait-Seconds': String(WAIT_SECONDS) },
    ...KEY,
  };
  const report: Hook = { ...hook, timeout: REPORT_SECONDS, headers: AUTHORIZATION, ...KEY };
  return [
    {
      path: ['permissions', 'disableBypassPermissionsMode'],
      value: 'disable',
      meaning: 'bypass mode is allowed, in which a person may turn all questions off',
    },
    { path: ['hooks', 'PreToolUse'], hook: gate, isOurs, matcher: '*' },
    ...REPORTS.map((event): Want => ({ path: ['hooks', event], hook: report, isOurs, matcher: '*' })),
    { path: ['hooks', 'SubagentStop'], hook: report, isOurs, matcher: '' },
  ];
}

export const CLAUDE_CODE: ConnectedAgent = {
  name: 'claude-code',
  title: 'Claude Code',
  programs: ['claude'],
  scopes: ['user', 'project', 'managed'],
  settings: (place) =>
    Promise.resolve([
      {
        path: fileOf(place),
        format: 'json',
        wants: wantsOf(place.url),
        refuses: [{ path: ['disableAllHooks'], is: (value) => value === true, meaning: 'no hook is called' }],
      },
    ]),
  gaps: () => [],
  ownKeys: (place) => keyInSettings(fileOf(place)),
  call: (command) => ({ tool: 'Bash', input: { command, description: 'The canary' } }),
  canary: (place, { modelUrl, program }) => ({
    file: program ?? 'claude',
    args: ['-p', PROMPT, '--no-session-persistence'],
    env: environment(
      place.env,
      [
        'ANTHROPIC_AUTH_TOKEN',
        'CLAUDE_CODE_OAUTH_TOKEN',
        'CLAUDE_CODE_USE_BEDROCK',
        'CLAUDE_CODE_USE_VERTEX',
      ],
      {
        ANTHROPIC_BASE_URL: modelUrl,
        ANTHROPIC_API_KEY: 'none-is-needed-here',
        DISABLE_TELEMETRY: '1',
        DISABLE_AUTOUPDATER: '1',
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      },
    ),
  }),
  opensIf: null,
  since: {
    version: '2.1.295',
    earlierOpensIf: 'the service is away or the hook fails: only version 2.1.295 and later obey onFailure',
  },
  note: null,
};
