import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { linesOf } from '../../../kernel/lines';
import {
  environment,
  HOOK_SECONDS,
  PROMPT,
  WAIT_SECONDS,
  type ConnectedAgent,
  type Place,
} from '../connected-agent';
import { edited, SettingsUnusable, textOf, type Hook, type SettingsFile, type Want } from '../settings-edits';

const INPUTS = ['session_id', 'turn_id', 'tool_use_id', 'tool_name', 'tool_input', 'cwd', 'permission_mode'];
const LIST_HOOKS = 2;
const LIST_WITHIN_MS = 20_000;

const GATE: Hook = {
  type: 'mcp_tool',
  server: 'countersign',
  tool: 'gate',
  timeout: HOOK_SECONDS,
  input: Object.fromEntries(INPUTS.map((name) => [name, `\${${name}}`])),
};
const isOurs = ({ server, tool }: Hook): boolean => server === 'countersign' && tool === 'gate';

const hooksAnswer = z.object({
  id: z.literal(LIST_HOOKS),
  result: z.object({
    data: z.array(z.object({ hooks: z.array(z.looseObject({ key: z.string(), currentHash: z.string() })) })),
  }),
});

/** The hooks of this home as the app-server reports them. @throws Error if it does not answer in time */
async function hooksOf(program: string, env: NodeJS.ProcessEnv, cwd: string) {
  const server = spawn(program, ['app-server'], { cwd, env, stdio: ['pipe', 'pipe', 'ignore'] });
  const timer = setTimeout(() => server.kill('SIGKILL'), LIST_WITHIN_MS);
  server.stdin.on('error', () => undefined);
  server.on('error', () => undefined);
  const clientInfo = { name: 'countersign', title: 'Countersign', version: '1' };
  for (const message of [
    { id: 1, method: 'initialize', params: { clientInfo, capabilities: { experimentalApi: true } } },
    { method: 'initialized' },
    { id: LIST_HOOKS, method: 'hooks/list', params: { cwds: [cwd] } },
  ])
    server.stdin.write(`${JSON.stringify(message)}\n`);
  try {
    for await (const line of linesOf(server.stdout)) {
      const { data } = hooksAnswer.safeParse(JSON.parse(line));
      if (data) return data.result.data.flatMap(({ hooks }) => hooks);
    }
  } finally {
    clearTimeout(timer);
    server.kill();
  }
  throw new Error(`${program} app-server does not list its hooks; is it Codex 0.171 or later?`);
}

/**
 * The trust that Codex keeps for our hook: its key names the file and the place in it, and the hash its content. Codex
 * computes both in a home of its own, before anything is written to the user's.
 */
async function trustOf(program: string, place: Place, home: string, hooks: SettingsFile): Promise<Want[]> {
  const trial = realpathSync(mkdtempSync(join(tmpdir(), 'countersign-codex-')));
  try {
    writeFileSync(join(trial, 'hooks.json'), edited(hooks, textOf(hooks.path)));
    const listed = await hooksOf(program, { ...place.env, CODEX_HOME: trial }, trial);
    const ours = listed.filter((hook) => JSON.stringify(hook).includes('"countersign"'));
    if (ours.length === 0) throw new SettingsUnusable(`Codex does not take the hook in ${hooks.path}`);
    return ours.map(({ key, currentHash }) => ({
      path: ['hooks', 'state', key.replace(trial, home), 'trusted_hash'],
      value: currentHash,
      meaning: 'Codex skips a hook that is not trusted, in silence',
    }));
  } finally {
    rmSync(trial, { recursive: true, force: true });
  }
}

export const CODEX: ConnectedAgent = {
  name: 'codex',
  title: 'Codex',
  programs: ['codex'],
  scopes: ['user'],
  settings: async (place, program) => {
    const configured = place.env.CODEX_HOME || join(place.home, '.codex');
    const home = existsSync(configured) ? realpathSync(configured) : configured;
    const hooks: SettingsFile = {
      path: join(home, 'hooks.json'),
      format: 'json',
      wants: [{ path: ['hooks', 'PreToolUse'], hook: GATE, isOurs, matcher: '*' }],
    };
    const server = (member: string, value: unknown): Want => ({
      path: ['mcp_servers', 'countersign', ...member.split('.')],
      value,
    });
    const trust = program === null ? [] : await trustOf(program, place, home, hooks);
    const config: SettingsFile = {
      path: join(home, 'config.toml'),
      format: 'toml',
      wants: [
        server('url', `${place.url}/connectors/mcp`),
        server('bearer_token_env_var', 'COUNTERSIGN_KEY'),
        server('http_headers.Countersign-Wait-Seconds', String(WAIT_SECONDS)),
        server('tool_timeout_sec', HOOK_SECONDS),
        ...trust,
      ],
      refuses: [
        {
          path: ['mcp_servers', 'countersign', 'enabled'],
          is: (value) => value === false,
          meaning: 'the server of the hook is off',
        },
        {
          path: ['sandbox_mode'],
          is: (value) => value === 'danger-full-access',
          meaning: 'where the gate fails, nothing else holds the tool',
        },
      ],
    };
    return [hooks, config];
  },
  gaps: () => [],
  call: (command) => ({ tool: 'exec_command', input: { cmd: command } }),
  canary: (place, { modelUrl, program }) => ({
    file: program ?? 'codex',
    args: [
      ...['exec', '--skip-git-repo-check', '--ephemeral', '--sandbox', 'workspace-write'],
      ...['-c', 'model="gpt-5"', '-c', 'model_provider="countersign_canary"'],
      '-c',
      `model_providers.countersign_canary={name="canary",base_url="${modelUrl}/v1",wire_api="responses"}`,
      PROMPT,
    ],
    env: environment(place.env, [], {}),
  }),
  opensIf: 'the service is away, the key is wrong, the hook is no longer trusted, or its time is over',
  note: null,
};
