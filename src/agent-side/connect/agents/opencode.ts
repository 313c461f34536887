import { environment, PROMPT, type ConnectedAgent } from '../connected-agent';

export const OPENCODE: ConnectedAgent = {
  name: 'opencode',
  title: 'OpenCode',
  programs: ['opencode'],
  scopes: ['user', 'project', 'managed'],
  // `countersign run --acp` sets its profile for each start, so no file is changed.
  settings: () => Promise.resolve([]),
  gaps: () => [],
  call: (command) => ({ tool: 'bash', input: { command, description: 'The canary' } }),
  canary: ({ env, self, url }, { modelUrl, program, name, folder }) => {
    const [file = process.execPath, ...words] = self;
    const options = { baseURL: `${modelUrl}/v1`, apiKey: 'none' };
    const models = { m: { name: 'm' } };
    const provider = { npm: '@ai-sdk/openai-compatible', name: 'Canary', options, models };
    const config = { provider: { canary: provider }, model: 'canary/m', small_model: 'canary/m' };
    return {
      file,
      args: [
        ...words,
        ...['run', '--acp', '--agent', name, '--url', url, '--prompt', PROMPT],
        ...['--', program ?? 'opencode', 'acp'],
      ],
      env: environment(env, [], {
        // The session of the canary is of no use later.
        XDG_STATE_HOME: folder,
        XDG_DATA_HOME: folder,
        OPENCODE_CONFIG_CONTENT: JSON.stringify(config),
        OPENCODE_DISABLE_AUTOUPDATE: '1',
        OPENCODE_DISABLE_MODELS_FETCH: '1',
      }),
    };
  },
  opensIf: 'it is not started by countersign run --acp -- opencode acp',
  note: 'no settings are needed: start it as countersign run --acp --agent NAME -- opencode acp',
};
