import { ACP_TOOLS } from '../../kernel/acp-tools';
import type { ToolShapes } from '../../policy/tool-shapes';

/**
 * The inputs of calls over ACP that a policy can match by command, path or host. They come by the REST API, from
 * `countersign run --acp` and `countersign acp-proxy`, which make them of the agent's permission requests. The general call
 * is not listed: rules that deny or ask search all its texts, and none allows it by command, path or host.
 */
export const ACP_TOOL_SHAPES: ToolShapes = new Map([
  [
    ACP_TOOLS.execute,
    {
      // `cwd` and `workdir` are the directory of the request.
      members: { command: 'command', cwd: 'text', workdir: 'text', description: 'text', timeout: 'text' },
      writes: false,
    },
  ],
  [
    ACP_TOOLS.edit,
    // `rawInput` and `locations` only repeat the change, with its lines; a call in which they say more is a general one.
    {
      members: { path: 'path', oldText: 'text', newText: 'text', rawInput: 'text', locations: 'text' },
      writes: true,
    },
  ],
  [
    ACP_TOOLS.fetch,
    { members: { url: 'url', format: 'text', prompt: 'text', timeout: 'text' }, writes: false },
  ],
]);
