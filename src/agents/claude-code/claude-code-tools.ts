import type { MemberRole, ToolShape, ToolShapes } from '../../policy/tool-shapes';

type Members = Readonly<Record<string, MemberRole>>;

const reads = (members: Members): ToolShape => ({ members, writes: false });
const writes = (members: Members): ToolShape => ({ members, writes: true });

/** A task runs tools of its own, and each of them asks. */
const TASK = reads({
  description: 'text',
  prompt: 'text',
  subagent_type: 'text',
  model: 'text',
  name: 'text',
  run_in_background: 'text',
});

/**
 * The inputs of Claude Code's tools that a policy can match by command, path or host. Source: the tool schemas that
 * Claude Code 2.1 sends to its model. A member that is not listed is never allowed by a rule.
 */
export const CLAUDE_CODE_TOOLS: ToolShapes = new Map([
  [
    'Bash',
    reads({
      command: 'command',
      description: 'text',
      timeout: 'text',
      run_in_background: 'off',
      dangerouslyDisableSandbox: 'off',
    }),
  ],
  ['Read', reads({ file_path: 'path', offset: 'text', limit: 'text', pages: 'text' })],
  ['Write', writes({ file_path: 'path', content: 'text' })],
  ['Edit', writes({ file_path: 'path', old_string: 'text', new_string: 'text', replace_all: 'text' })],
  ['MultiEdit', writes({ file_path: 'path', edits: 'text' })],
  [
    'NotebookEdit',
    writes({
      notebook_path: 'path',
      new_source: 'text',
      cell_id: 'text',
      cell_type: 'text',
      edit_mode: 'text',
    }),
  ],
  ['Glob', reads({ pattern: 'pattern', path: 'tree' })],
  [
    'Grep',
    reads({
      pattern: 'text',
      path: 'tree',
      glob: 'text',
      type: 'text',
      output_mode: 'text',
      '-A': 'text',
      '-B': 'text',
      '-C': 'text',
      context: 'text',
      '-n': 'text',
      '-i': 'text',
      '-o': 'text',
      head_limit: 'text',
      offset: 'text',
      multiline: 'text',
    }),
  ],
  ['WebFetch', reads({ url: 'url', prompt: 'text' })],
  ['WebSearch', reads({ query: 'text', allowed_domains: 'text', blocked_domains: 'text' })],
  ['Task', TASK],
  ['Agent', TASK],
]);
