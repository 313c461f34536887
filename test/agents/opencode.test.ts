import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AGENT_FILE } from '../support/agent-file';
import { startCli } from '../support/cli';
import type { Block } from '../support/model-endpoint';
import { Scene, testGate, type Way } from './support/matrix';
import { describeAgent } from './support/real-agent';

jest.setTimeout(600_000);

describeAgent('opencode', ({ program }) => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.set();
  });
  afterAll(() => scene.strike());

  const shell = (command: string): Block => ({ tool: 'bash', input: { command, description: 'A command' } });

  /** By `countersign run --acp`, with this configuration of the user's. */
  const byAcp = (own: object = {}): Way => ({
    shellTool: 'acp_execute',
    shell,
    readsReasons: 'terminal',
    start: ({ home, work, serviceUrl, modelUrl, key, waitSeconds }) => {
      const options = { baseURL: `${modelUrl}/v1`, apiKey: 'none' };
      const provider = {
        npm: '@ai-sdk/openai-compatible',
        name: 'Scripted',
        options,
        models: { m: { name: 'm' } },
      };
      mkdirSync(join(home, '.config', 'opencode'), { recursive: true });
      writeFileSync(
        join(home, '.config', 'opencode', 'opencode.json'),
        JSON.stringify({
          provider: { scripted: provider },
          model: 'scripted/m',
          small_model: 'scripted/m',
          experimental: { continue_loop_on_deny: true },
          ...own,
        }),
      );
      const args = ['run', '--acp', '--agent', 'opencode', '--cwd', work, '--timeout', String(waitSeconds)];
      const env = {
        HOME: home,
        XDG_STATE_HOME: join(home, 'state'),
        OPENCODE_DISABLE_AUTOUPDATE: '1',
        OPENCODE_DISABLE_MODELS_FETCH: '1',
        COUNTERSIGN_URL: serviceUrl,
        COUNTERSIGN_KEY: key,
      };
      return startCli([...args, '--prompt', 'go', '--', program, 'acp'], env, home, AGENT_FILE);
    },
  });

  describe('by countersign run --acp', () => {
    testGate(byAcp(), () => scene);
  });

  it('asks for everything, whatever rules of the user’s allow', async () => {
    const allow = { '*': 'allow', bash: { '*': 'allow' }, 'ba*': 'allow', edit: 'allow' };
    const way = byAcp({
      default_agent: 'mine',
      permission: allow,
      agent: {
        mine: { mode: 'primary', permission: allow },
        build: { permission: allow },
        countersign: { permission: { '*': 'ask', bash: 'allow' } },
        general: { permission: { '*': 'deny', bash: 'allow' } },
      },
    });
    const agent = await scene.start(way, [[shell('printf ran > user-allows')]]);
    await scene.api.decide((await scene.asked('printf ran > user-allows')).id, 'rejected');
    await agent.program.ended;
    expect(agent.wrote('user-allows')).toBeNull();
  });

  it('asks for an edit with its diff, and writes what was approved', async () => {
    const input = { filePath: 'edited.txt', content: 'new\n' };
    const agent = await scene.start(byAcp(), [[{ tool: 'write', input }]]);
    const { id, toolName, toolInput } = await scene.asked('new\n');
    expect(toolName).toBe('acp_edit');
    expect(toolInput).toMatchObject({ path: join(agent.work, 'edited.txt'), newText: 'new\n' });
    expect(agent.wrote('edited.txt')).toBeNull();
    await scene.api.decide(id, 'approved');
    await agent.program.ended;
    expect(agent.wrote('edited.txt')).toBe('new\n');
  });
});
