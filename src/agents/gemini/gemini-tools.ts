import type { ToolShapes } from '../../policy/tool-shapes';

/**
 * The inputs of the tools that a policy can match by command or path. They come by the REST API, from
 * `countersign hook gemini`. Source: the package of Gemini CLI 0.61.0.
 */
export const GEMINI_TOOL_SHAPES: ToolShapes = new Map([
  [
    'run_shell_command',
    {
      members: {
        command: 'command',
        description: 'text',
        dir_path: 'directory',
        is_background: 'off',
        additional_permissions: 'off',
      },
      writes: false,
    },
  ],
  ['write_file', { members: { file_path: 'path', content: 'text' }, writes: true }],
  [
    'replace',
    {
      members: {
        file_path: 'path',
        instruction: 'text',
        old_string: 'text',
        new_string: 'text',
        allow_multiple: 'text',
      },
      writes: true,
    },
  ],
]);
