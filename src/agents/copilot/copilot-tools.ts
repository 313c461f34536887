import type { ToolShapes } from '../../policy/tool-shapes';

/**
 * The inputs of Copilot CLI's tools that a policy can match by command, path or host. Source: the tool schemas that
 * Copilot CLI 1.0.102 sends to its model. A member that is not listed is never allowed by a rule.
 */
export const COPILOT_TOOLS: ToolShapes = new Map([
  [
    'bash',
    {
      // A reused `shellId` keeps the directory of its first command, which the hook does not send.
      members: {
        command: 'command',
        description: 'text',
        initial_wait: 'text',
        mode: 'off',
        detach: 'off',
        shellId: 'off',
      },
      writes: false,
    },
  ],
  ['view', { members: { path: 'path', view_range: 'text', forceReadLargeFiles: 'text' }, writes: false }],
  ['create', { members: { path: 'path', file_text: 'text' }, writes: true }],
  ['edit', { members: { path: 'path', old_str: 'text', new_str: 'text' }, writes: true }],
  [
    'task',
    {
      // A task runs tools of its own, and each of them asks.
      members: {
        description: 'text',
        prompt: 'text',
        agent_type: 'text',
        name: 'text',
        model: 'text',
        reasoning_effort: 'text',
        context_tier: 'text',
        mode: 'text',
      },
      writes: false,
    },
  ],
  [
    'web_fetch',
    { members: { url: 'url', max_length: 'text', start_index: 'text', raw: 'text' }, writes: false },
  ],
]);
