import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { printed } from '../support/documents';
import type { Block } from '../support/model-endpoint';
import { Program } from '../support/processes';
import { Scene, testGate, type Way } from './support/matrix';
import { describeAgent } from './support/real-agent';

jest.setTimeout(600_000);

const LIST_HOOKS = 2;
const PAGE = 'docs/agents/codex.md';

describeAgent('codex', ({ program }) => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.set();
  });
  afterAll(() => scene.strike());

  const shell = (command: string): Block => ({ tool: 'exec_command', input: { cmd: command } });

  /** The hooks as the app-server reports them; it ends when it was read. */
  async function hooksIn(
    work: string,
    env: Record<string, string>,
  ): Promise<{ key: string; currentHash: string }[]> {
    const server = spawn(program, ['app-server'], {
      cwd: work,
      env: { PATH: process.env.PATH, ...env },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const clientInfo = { name: 'test', title: 'test', version: '1' };
    for (const message of [
      { id: 1, method: 'initialize', params: { clientInfo, capabilities: { experimentalApi: true } } },
      { method: 'initialized' },
      { id: LIST_HOOKS, method: 'hooks/list', params: { cwds: [work] } },
    ])
      server.stdin.write(`${JSON.stringify(message)}\n`);
    try {
      for await (const line of createInterface({ input: server.stdout })) {
        const { id, result } = JSON.parse(line) as {
          id?: number;
          result?: { data: { hooks: { key: string; currentHash: string }[] }[] };
        };
        if (id === LIST_HOOKS) return result?.data.flatMap(({ hooks }) => hooks) ?? [];
      }
      throw new Error('the app-server reported no hooks');
    } finally {
      server.kill();
    }
  }

  const byHook = (isTrusted: boolean): Way => ({
    shellTool: 'Bash',
    shell,
    failsOpen: true,
    start: async ({ home, work, serviceUrl, modelUrl, key, waitSeconds }) => {
      const folder = join(home, '.codex');
      mkdirSync(folder);
      const model = `model = "gpt-5"\nmodel_provider = "script"\n[model_providers.script]\nname = "script"
base_url = "${modelUrl}/v1"\nwire_api = "responses"\n`;
      const server = printed(PAGE, 'toml', 'mcp_servers')
        .replaceAll('https://countersign.example.com', serviceUrl)
        .replaceAll('"1830"', `"${waitSeconds}"`);
      const env = { HOME: home, CODEX_HOME: folder, COUNTERSIGN_KEY: key };
      const write = (more = '') => writeFileSync(join(folder, 'config.toml'), `${model}${server}\n${more}`);
      write();
      writeFileSync(join(folder, 'hooks.json'), printed(PAGE, 'json', 'mcp_tool'));
      const hooks = await hooksIn(work, env);
      if (isTrusted)
        write(
          hooks.map((hook) => `[hooks.state."${hook.key}"]\ntrusted_hash = "${hook.currentHash}"\n`).join(''),
        );
      const args = ['exec', '--skip-git-repo-check', '--sandbox', 'danger-full-access', 'go'];
      return new Program(program, args, env, work);
    },
  });

  describe('by its hook of the type mcp_tool', () => {
    testGate(byHook(true), () => scene);

    it('runs without asking while it is not trusted', async () => {
      const agent = await scene.start(byHook(false), [[shell('printf ran > untrusted')]]);
      await agent.program.ended;
      expect(agent.wrote('untrusted')).toBe('ran');
      expect(await scene.requestsFor('printf ran > untrusted')).toEqual([]);
    });
  });
});
