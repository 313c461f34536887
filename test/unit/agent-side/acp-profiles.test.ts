import { OPENCODE_AGENT, profileFor } from '../../../src/agent-side/acp/profiles';

it.each([
  [['opencode', 'acp'], 'OpenCode'],
  [['/opt/opencode/bin/opencode', 'acp'], 'OpenCode'],
  [['npx', '-y', 'opencode-ai@1.18.33', 'acp'], 'OpenCode'],
  [['gemini', '--acp'], 'Gemini CLI'],
  [['npx', '@google/gemini-cli', '--acp'], 'Gemini CLI'],
  [['copilot', '--acp'], 'Copilot CLI'],
  [['npx', '@agentclientprotocol/claude-agent-acp'], 'Claude Code'],
  [['npx', '@agentclientprotocol/codex-acp@latest'], 'Codex'],
  [['my-agent', '--stdio'], 'the agent'],
])('%j has the profile of %s', (command, name) => {
  expect(profileFor(command).name).toBe(name);
});

it.each([
  ['gemini', '--yolo'],
  ['gemini', '--approval-mode=yolo'],
  ['gemini', '--approvalMode=yolo'],
  ['gemini', '--allowedTools=run_shell_command'],
  ['gemini', '-dy'],
  ['gemini', '-yolo'],
  ['gemini', '--y'],
  ['copilot', '--allow-url=https://x.example'],
  ['copilot', '--allow-all-tools'],
])('%s is refused with %s, by which it would not ask', (program, argument) => {
  expect(() => profileFor([program, '--acp', argument])).toThrow(`${argument} lets`);
});

it('an argument of the program that starts the agent is not one of the agent', () => {
  expect(profileFor(['npx', '-y', '@google/gemini-cli', '--acp']).name).toBe('Gemini CLI');
  expect(() => profileFor(['npx', '-y', '@google/gemini-cli', '--acp', '-y'])).toThrow('-y lets');
});

describe('OpenCode', () => {
  const configOf = (env: NodeJS.ProcessEnv): Record<string, unknown> =>
    JSON.parse(profileFor(['opencode', 'acp']).environment(env).OPENCODE_CONFIG_CONTENT ?? '') as Record<
      string,
      unknown
    >;

  it('asks for every tool by an agent whose name nobody can know before, without the subagents of known names', () => {
    expect(OPENCODE_AGENT).toMatch(/^countersign-[0-9a-f]{12}$/);
    expect(configOf({})).toMatchObject({
      default_agent: OPENCODE_AGENT,
      agent: {
        [OPENCODE_AGENT]: { mode: 'primary', permission: { '*': 'ask' } },
        general: { disable: true },
        explore: { disable: true },
      },
    });
  });

  it('keeps the configuration of the environment, but no rules in it that allow', () => {
    const own = {
      model: 'a/b',
      default_agent: 'mine',
      agent: { mine: { prompt: 'x' }, general: { model: 'c/d', permission: { bash: 'allow' } } },
    };
    expect(configOf({ OPENCODE_CONFIG_CONTENT: JSON.stringify(own) })).toMatchObject({
      model: 'a/b',
      default_agent: OPENCODE_AGENT,
      agent: { mine: { prompt: 'x' }, general: { model: 'c/d', disable: true } },
    });
  });

  it('is not started with a configuration that cannot be read', () => {
    expect(() => configOf({ OPENCODE_CONFIG_CONTENT: '{ // comment' })).toThrow(/must be a JSON object/);
  });

  it('gets no rules by its other variable', () => {
    const { environment } = profileFor(['opencode', 'acp']);
    expect(environment({ OPENCODE_PERMISSION: '{"*":"allow"}' })).not.toHaveProperty('OPENCODE_PERMISSION');
  });
});
