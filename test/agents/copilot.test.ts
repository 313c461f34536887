import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { printed } from '../support/documents';
import type { Block } from '../support/model-endpoint';
import { Program } from '../support/processes';
import { BROKEN, Scene, testGate, withStranger, type Way } from './support/matrix';
import { describeAgent } from './support/real-agent';

jest.setTimeout(600_000);

describeAgent('copilot', ({ program }) => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.set();
  });
  afterAll(() => scene.strike());

  const shell = (command: string): Block => ({ tool: 'bash', input: { command, description: 'A command' } });

  /** By the hook as the page prints it, with these arguments of the command line. */
  const byHook = (...args: readonly string[]): Way => ({
    shellTool: 'bash',
    shell,
    start: ({ home, work, serviceUrl, modelUrl, key, waitSeconds }) => {
      const settings = printed('docs/agents/copilot.md', 'json', '"preToolUse"')
        .replaceAll('https://countersign.example.com', serviceUrl)
        .replaceAll('"1830"', `"${waitSeconds}"`);
      mkdirSync(join(home, '.copilot', 'hooks'), { recursive: true });
      writeFileSync(join(home, '.copilot', 'hooks', 'countersign.json'), settings);
      const env = {
        HOME: home,
        COPILOT_HOME: join(home, '.copilot'),
        COPILOT_HOOK_ALLOW_LOCALHOST: '1',
        COPILOT_OFFLINE: 'true',
        COPILOT_PROVIDER_BASE_URL: `${modelUrl}/v1`,
        COPILOT_MODEL: 'gpt-4.1',
        COPILOT_AUTO_UPDATE: 'false',
        COUNTERSIGN_KEY: key,
      };
      return new Program(program, ['-p', 'go', ...args], env, work);
    },
  });

  describe('by its HTTP hook', () => {
    testGate(byHook(), () => scene);
  });

  describe('by its HTTP hook, with --allow-all-tools', () => {
    // As the table of docs/agents/copilot.md says.
    it.each([
      ['an error', null],
      ['a cut connection', null],
      ['half an answer', 'ran'],
      ['nothing', 'ran'],
      ['a page of a proxy', 'ran'],
    ])('after %s the command %s', async (what, written) => {
      const [, answer] = BROKEN.find(([name]) => name === what) ?? [];
      if (!answer) throw new Error(`there is no answer ${what}`);
      await withStranger(answer, async (serviceUrl) => {
        const agent = await scene.start(byHook('--allow-all-tools'), [[shell('printf ran > broken')]], {
          serviceUrl,
        });
        await agent.program.ended;
        expect(agent.wrote('broken')).toBe(written);
      });
    });

    it('does not run what was rejected, nor what was asked with a wrong key', async () => {
      const way = byHook('--allow-all-tools');
      const rejected = await scene.start(way, [[shell('printf ran > rejected-all')]]);
      await scene.api.decide((await scene.asked('printf ran > rejected-all')).id, 'rejected');
      await rejected.program.ended;
      const stranger = await scene.start(way, [[shell('printf ran > stranger')]], {
        key: 'wrong'.repeat(10),
      });
      await stranger.program.ended;
      expect([rejected.wrote('rejected-all'), stranger.wrote('stranger')]).toEqual([null, null]);
    });
  });
});
