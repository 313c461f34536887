import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { printed } from '../support/documents';
import type { Block } from '../support/model-endpoint';
import { Program } from '../support/processes';
import { Scene, testGate, type Way } from './support/matrix';
import { describeAgent } from './support/real-agent';

jest.setTimeout(600_000);

/** Seconds by which the page has the timeout of the hook above the wait of the service. */
const MARGIN_SECONDS = 30;
const PAGE = 'docs/agents/claude-code.md';

describeAgent('claude-code', ({ program }) => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.set();
  });
  afterAll(() => scene.strike());

  const shell = (command: string): Block => ({ tool: 'Bash', input: { command } });

  const byHook: Way = {
    shellTool: 'Bash',
    shell,
    start: ({ home, work, serviceUrl, modelUrl, key, waitSeconds }) => {
      mkdirSync(join(home, '.claude'));
      const hook = printed(PAGE, 'json', 'mcp_tool').replace('1860', String(waitSeconds + MARGIN_SECONDS));
      writeFileSync(join(home, '.claude', 'settings.json'), hook);
      const servers = join(home, 'mcp.json');
      writeFileSync(
        servers,
        printed(PAGE, 'json', 'mcpServers')
          .replaceAll('http://127.0.0.1:3000', serviceUrl)
          .replaceAll('"1830"', `"${waitSeconds}"`),
      );
      const env = {
        ...{ HOME: home, COUNTERSIGN_KEY: key },
        ...{ ANTHROPIC_BASE_URL: modelUrl, ANTHROPIC_API_KEY: 'none-is-needed-here' },
        ...{
          DISABLE_TELEMETRY: '1',
          DISABLE_AUTOUPDATER: '1',
          CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
        },
      };
      // The rule lets every command run that no hook blocks.
      const args = ['-p', 'go', '--mcp-config', servers, '--allowedTools', 'Bash'];
      return new Program(program, args, env, work);
    },
  };

  describe('by its hook of the type mcp_tool', () => {
    testGate(byHook, () => scene);
  });
});
