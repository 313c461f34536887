import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AGENTS } from '../../src/agent-side/connect/agents';
import { AGENT_FILE } from '../support/agent-file';
import { startCli, type Said } from '../support/cli';
import { issueKey, keyIs, revokeKey } from '../support/keys';
import type { Block } from '../support/model-endpoint';
import { CHECKOUT, Program, temporaryDirectory } from '../support/processes';
import { AGENT_KEY } from '../support/well-known';
import { install, PUBLISHED, type AgentName, type Installed } from './support/install';
import { Scene, type AtWork, type Place, type Way } from './support/matrix';

jest.setTimeout(900_000);

/** The programs as `connect` looks for them. */
const PROGRAMS: Readonly<Record<AgentName, string>> = {
  'claude-code': 'claude',
  copilot: 'copilot',
  codex: 'codex',
  gemini: 'gemini',
  opencode: 'opencode',
};

/** Settings of a user who has comments, before anything is connected. */
const MINE: Readonly<Record<string, string>> = {
  '.claude/settings.json': '{\n\t"cleanupPeriodDays": 20\n}\n',
  '.codex/config.toml': '# Mine.\nmodel_reasoning_effort = "low" # enough\n\n[tui]\nnotifications = false\n',
  '.gemini/settings.json': '{\n  // Mine.\n  "general": { "vimMode": false }\n}\n',
};

/** The page whose table the tests below measure; `UPDATE_AGENTS=1` rewrites its rows. */
const PAGE = join(CHECKOUT, 'docs/agents/README.md');
const TABLE = /(<!-- measured -->\n)[\s\S]*?(\n<!-- end -->)/;
const HEAD = ['agent', 'version', 'connect says', 'approved', 'rejected', 'wrong key'];

interface Result {
  readonly agent: string;
  readonly gate: string;
  readonly verdict: string;
}

interface Finding {
  readonly check: string;
  readonly message: string;
}

const installed: Partial<Record<AgentName, Installed>> = {};
const missing: string[] = [];
for (const name of Object.keys(PUBLISHED) as AgentName[])
  try {
    installed[name] = install(name);
  } catch (error) {
    if (process.env.AGENTS_REQUIRED === '1') throw error;
    missing.push(`${PUBLISHED[name].name}: ${String(error)}`);
  }
const here = Object.keys(installed) as AgentName[];
if (missing.length > 0)
  console.error(`SKIPPED: these cannot be installed, so nothing is tested with them.\n${missing.join('\n')}`);

/** A fresh machine with all agents that are installed. */
class Machine {
  readonly home = temporaryDirectory('countersign-home-');
  readonly bin = join(this.home, 'bin');

  constructor(readonly serviceUrl: string) {
    mkdirSync(this.bin);
    for (const name of here) symlinkSync(installed[name]?.program ?? '', join(this.bin, PROGRAMS[name]));
    for (const [path, text] of Object.entries(MINE)) this.write(path, text);
  }

  get env(): Record<string, string> {
    return {
      HOME: this.home,
      XDG_STATE_HOME: join(this.home, 'state'),
      PATH: `${this.bin}:${process.env.PATH ?? ''}`,
      COUNTERSIGN_URL: this.serviceUrl,
      COUNTERSIGN_KEY: AGENT_KEY,
      COPILOT_HOOK_ALLOW_LOCALHOST: '1',
    };
  }

  read(path: string): string {
    return readFileSync(join(this.home, path), 'utf8');
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.home, path)), { recursive: true });
    writeFileSync(join(this.home, path), text);
  }

  async run(args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Said> {
    const program = startCli(args, { ...this.env, ...more }, this.home, AGENT_FILE);
    const { code } = await program.ended;
    return { code, out: program.output.join('\n'), err: program.errors.join('\n') };
  }

  /** Findings of the doctor about these agents. */
  async findings(names: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<string> {
    const { code, out } = await this.run(['doctor', '--agents', '--json', ...names], more);
    const { ok, findings } = JSON.parse(out) as { ok: boolean; findings: readonly Finding[] };
    expect([code, ok]).toEqual(findings.length === 0 ? [0, true] : [1, false]);
    return findings.map(({ check, message }) => `${check}: ${message}`).join('\n');
  }

  /** Breaks a gate by hand, and mends it again when it was looked at. */
  async broken(path: string, change: (text: string) => string, agent: string): Promise<string> {
    const before = this.read(path);
    const after = change(before);
    expect(after).not.toBe(before);
    this.write(path, after);
    try {
      return await this.findings([agent]);
    } finally {
      this.write(path, before);
    }
  }
}

/** The start of each agent with a scripted model, as a user who has connected it starts it. */
function wayOf(agent: AgentName, machine: Machine): Way {
  const program = join(machine.bin, PROGRAMS[agent]);
  const start = (
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    { work, key }: Place,
  ): Program => new Program(program, args, { ...machine.env, COUNTERSIGN_KEY: key, ...env }, work);
  const ways: Record<AgentName, Pick<Way, 'shell' | 'start'>> = {
    'claude-code': {
      shell: (command) => ({ tool: 'Bash', input: { command } }),
      start: (place) =>
        start(
          ['-p', 'go'],
          { ANTHROPIC_BASE_URL: place.modelUrl, ANTHROPIC_API_KEY: 'none-is-needed-here' },
          place,
        ),
    },
    copilot: {
      shell: (command) => ({ tool: 'bash', input: { command, description: 'A command' } }),
      start: (place) =>
        start(
          ['-p', 'go'],
          {
            COPILOT_OFFLINE: 'true',
            COPILOT_PROVIDER_BASE_URL: `${place.modelUrl}/v1`,
            COPILOT_MODEL: 'gpt-4.1',
            COPILOT_AUTO_UPDATE: 'false',
          },
          place,
        ),
    },
    codex: {
      shell: (command) => ({ tool: 'exec_command', input: { cmd: command } }),
      start: (place) => {
        const { modelUrl } = place;
        const provider = `model_providers.script={name="script",base_url="${modelUrl}/v1",wire_api="responses"}`;
        const settings = ['-c', 'model="gpt-5"', '-c', 'model_provider="script"', '-c', provider];
        const args = ['exec', '--skip-git-repo-check', '--sandbox', 'danger-full-access', ...settings, 'go'];
        return start(args, {}, place);
      },
    },
    gemini: {
      shell: (command) => ({ tool: 'run_shell_command', input: { command } }),
      start: (place) => {
        const script = ['-p', 'go', '--skip-trust', '-m', 'gemini-2.5-flash', '--approval-mode', 'yolo'];
        const answers = ['--fake-responses-non-strict', join(place.home, 'answers')];
        return start([...script, ...answers], { GEMINI_API_KEY: 'none-is-needed-here' }, place);
      },
    },
    opencode: {
      shell: (command) => ({ tool: 'bash', input: { command, description: 'A command' } }),
      start: ({ work, modelUrl, key }) => {
        const options = { baseURL: `${modelUrl}/v1`, apiKey: 'none' };
        const provider = {
          npm: '@ai-sdk/openai-compatible',
          name: 'Scripted',
          options,
          models: { m: { name: 'm' } },
        };
        const config = { provider: { scripted: provider }, model: 'scripted/m', small_model: 'scripted/m' };
        const args = [
          'run',
          '--acp',
          '--agent',
          'opencode',
          '--cwd',
          work,
          '--prompt',
          'go',
          '--',
          program,
          'acp',
        ];
        const more = {
          OPENCODE_CONFIG_CONTENT: JSON.stringify(config),
          OPENCODE_DISABLE_AUTOUPDATE: '1',
          OPENCODE_DISABLE_MODELS_FETCH: '1',
        };
        return startCli(args, { ...machine.env, COUNTERSIGN_KEY: key, ...more }, machine.home, AGENT_FILE);
      },
    },
  };
  return { shellTool: 'any', ...ways[agent] };
}

/** A script for Gemini CLI, which plays its answers from a file. */
function answersOf(call: Block): string {
  if (!('tool' in call)) throw new Error('no call of a tool');
  const line = (part: object): string =>
    `${JSON.stringify({
      method: 'generateContentStream',
      response: [
        { candidates: [{ content: { role: 'model', parts: [part] }, finishReason: 'STOP', index: 0 }] },
      ],
    })}\n`;
  return line({ functionCall: { name: call.tool, args: call.input } }) + line({ text: 'Done.' });
}

describe(`a fresh machine with ${here.join(', ')}`, () => {
  let scene: Scene;
  let machine: Machine;
  beforeAll(async () => {
    scene = await Scene.set();
    machine = new Machine(scene.stage.service.url);
  });
  afterAll(() => scene.strike());

  it('is connected by one command, which proves each gate', async () => {
    const { code, out, err } = await machine.run(['connect', '--yes', '--json']);
    expect([code, err]).toEqual([0, '']);
    const { agents } = JSON.parse(out) as { agents: readonly Result[] };
    expect(Object.fromEntries(agents.map(({ agent, gate }) => [agent, gate]))).toEqual({
      ...(installed['claude-code'] && { 'claude-code': 'fails-closed' }),
      ...(installed.copilot && { copilot: 'fails-open' }),
      ...(installed.codex && { codex: 'fails-open' }),
      ...(installed.gemini && { gemini: 'fails-open' }),
      ...(installed.opencode && { opencode: 'fails-open' }),
    });
    for (const { agent, verdict } of agents) gates[agent as AgentName] = verdict;
    expect(machine.read('.codex/config.toml')).toContain('# enough');
    expect(machine.read('.gemini/settings.json')).toContain('// Mine.');
  });

  /** Effects of the runs below, as the table of the page has them. */
  const effects: Partial<Record<AgentName, string[]>> = {};
  const gates: Partial<Record<AgentName, string>> = {};

  function begin(agent: AgentName, command: string, key: string): Promise<AtWork> {
    const way = wayOf(agent, machine);
    const call = way.shell(command);
    const start: Way['start'] = (place) => {
      writeFileSync(join(place.home, 'answers'), answersOf(call));
      return way.start(place);
    };
    return scene.start({ ...way, start }, [[call]], { key });
  }

  const effectOf = (running: AtWork, name: string): string =>
    running.wrote(name) === null ? 'does not run' : 'runs';

  it.each(here)('runs what is approved and not what is rejected, by %s', async (agent) => {
    const measured: string[] = [];
    for (const verdict of ['approved', 'rejected'] as const) {
      const command = `printf ran > ${agent}-${verdict}`;
      const running = await begin(agent, command, AGENT_KEY);
      await scene.api.decide((await scene.asked(command)).id, verdict);
      await running.program.ended;
      measured.push(effectOf(running, `${agent}-${verdict}`));
    }
    expect(measured).toEqual(['runs', 'does not run']);
    effects[agent] = measured;
  });

  it.each(here)('does with a wrong key as its gate says, by %s', async (agent) => {
    const running = await begin(agent, `printf ran > ${agent}-stranger`, 'wrong'.repeat(10));
    await running.program.ended;
    const effect = effectOf(running, `${agent}-stranger`);
    expect(effect).toBe(agent === 'codex' ? 'runs' : 'does not run');
    effects[agent]?.push(effect);
  });

  it('passes the doctor', async () => {
    expect(await machine.findings([])).toBe('');
  });

  const withAgent = (agent: AgentName): typeof it => (installed[agent] ? it : it.skip);

  withAgent('codex')(
    'is told that the hook of Codex is no longer trusted, and that its tool ran',
    async () => {
      const found = await machine.broken(
        '.codex/config.toml',
        (text) => text.replace(/sha256:[0-9a-f]{64}/, `sha256:${'0'.repeat(64)}`),
        'codex',
      );
      expect(found).toContain('trusted_hash is "sha256:0000');
      expect(found).toMatch(/codex: the canary call (ran, and nobody was asked|was not asked for)/);
    },
  );

  withAgent('claude-code')('is told of another address, a hook that is off, and bypass mode', async () => {
    const path = '.claude/settings.json';
    const other = 'http://127.0.0.1:9';
    const elsewhere = await machine.broken(
      path,
      (text) => text.replaceAll(scene.stage.service.url, other),
      'claude-code',
    );
    expect(elsewhere).toContain(`url is "${other}/connectors/claude-code/hook"`);
    expect(elsewhere).toContain('the canary call was not asked for');
    const off = await machine.broken(
      path,
      (text) => text.replace('{', '{"disableAllHooks": true,'),
      'claude-code',
    );
    expect(off).toContain('disableAllHooks is true');
    expect(off).toContain('the canary call was not asked for');
    const bypass = await machine.broken(path, (text) => text.replace('"disable"', '"enable"'), 'claude-code');
    expect(bypass).toContain('bypass mode is allowed');
  });

  withAgent('gemini')('is told of a misspelt hook of Gemini CLI, and that its tool ran', async () => {
    const found = await machine.broken(
      '.gemini/settings.json',
      (text) => text.replace('"BeforeTool"', '"BeforTool"'),
      'gemini',
    );
    expect(found).toContain('hooks.BeforeTool has no hook of Countersign');
    expect(found).toContain('the canary call ran, and nobody was asked');
  });

  withAgent('copilot')(
    'is told of a start in which Copilot CLI drops the hook, or allows everything',
    async () => {
      const dropped = await machine.findings(['copilot'], { COPILOT_HOOK_ALLOW_LOCALHOST: '0' });
      expect(dropped).toContain('COPILOT_HOOK_ALLOW_LOCALHOST=1');
      expect(dropped).toContain('the canary call was not asked for');
      expect(await machine.findings(['copilot'], { COPILOT_ALLOW_ALL: 'true' })).toContain(
        'COPILOT_ALLOW_ALL is set',
      );
    },
  );

  it('is told of a key that was revoked', async () => {
    const { database, service } = scene.stage;
    const key = await issueKey(database, 'agent', 'revoked-machine');
    await keyIs(true, service.url, key);
    await revokeKey(database, 'revoked-machine');
    await keyIs(false, service.url, key);
    expect(await machine.findings([], { COUNTERSIGN_KEY: key })).toMatch(
      /^key: .*does not know this API key/,
    );
  });

  it('is as it was after --undo', async () => {
    expect((await machine.run(['connect', '--undo'])).code).toBe(0);
    for (const [path, text] of Object.entries(MINE)) expect([path, machine.read(path)]).toEqual([path, text]);
    for (const path of ['.copilot/hooks/countersign.json', '.codex/hooks.json'])
      expect(() => machine.read(path)).toThrow('ENOENT');
  });

  it('does as the table of docs/agents/README.md says', () => {
    const titleOf = (name: string): string => AGENTS.find((agent) => agent.name === name)?.title ?? name;
    const rows = here.map((name) => [
      ...[titleOf(name), installed[name]?.version ?? '', gates[name] ?? 'nothing'],
      ...(effects[name] ?? []),
    ]);
    if (process.env.UPDATE_AGENTS === '1') {
      const lines = [HEAD, HEAD.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
      writeFileSync(PAGE, readFileSync(PAGE, 'utf8').replace(TABLE, `$1\n${lines.join('\n')}\n$2`));
      execFileSync(process.execPath, [require.resolve('prettier/bin/prettier.cjs'), '--write', PAGE]);
    }
    const table = TABLE.exec(readFileSync(PAGE, 'utf8'))?.[0] ?? '';
    const shown = table.split('\n').map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
    // The newest versions need not be those of the page.
    const compared = (cells: readonly string[]): readonly string[] =>
      process.env.AGENTS_NEWEST === '1' ? cells.toSpliced(1, 1) : cells;
    expect(shown.map(compared)).toEqual(expect.arrayContaining(rows.map(compared)));
  });
});
