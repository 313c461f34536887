import type { KnownMember } from '../action-part';
import { languageOf } from '../code-language';
import { bold, rich, words } from '../rich-text';
import { count, countLines, pathOf } from '../titles';
import { oneEdit } from './claude-code-inputs';
import type { KnownAgent, KnownTool } from './known-agent';
import { acts, block, doing, ifOn, line, namesIn, runs, textOf, titled } from './tool-forms';

const FILE: KnownMember = { ...line('file_path', 'File'), isDetail: true };

const SHELL: KnownTool = {
  ...runs('bash'),
  dangers: (input) => [
    ...ifOn(input.is_background, 'In the background'),
    ...ifOn(input.dir_path, 'In another directory'),
    ...ifOn(input.additional_permissions, 'Outside the sandbox'),
  ],
};

const WRITE_FILE = acts({
  title: titled('file_path', (path, { content }, { cwd }) =>
    typeof content === 'string'
      ? rich`🆕 ${bold('Create or overwrite')} ${pathOf(path, cwd)}: ${words(content === '' ? 'empty' : count(countLines(content), 'line'))}`
      : null,
  ),
  members: ({ file_path: path }) => [
    FILE,
    block('content', 'Content', typeof path === 'string' ? languageOf(path) : undefined),
  ],
  target: ({ file_path: path }) => textOf(path),
});

const REPLACE = acts({
  title: titled('file_path', (path, _input, { cwd }) => rich`📝 ${bold('Edit')} ${pathOf(path, cwd)}`),
  dangers: ({ allow_multiple: everywhere }) => ifOn(everywhere, 'Every occurrence'),
  members: () => [FILE, line('instruction', 'Description by the agent')],
  structure: oneEdit,
  target: ({ file_path: path }) => textOf(path),
});

/** Tools that only read from the machine, plan, or ask the person at the terminal. */
const READING = namesIn(`
  ask_user complete_task enter_plan_mode exit_plan_mode get_internal_docs glob grep_search list_directory read_file
  read_many_files tracker_add_dependency tracker_create_task tracker_get_task tracker_list_tasks tracker_update_task
  tracker_visualize update_topic write_todos
`);

const ACTING = namesIn(
  `activate_skill invoke_agent list_mcp_resources read_mcp_resource save_memory web_fetch`,
);

/** The tools of Gemini CLI 0.61.0, from its package. */
const TOOLS: ReadonlyMap<string, KnownTool> = new Map<string, KnownTool>([
  ...READING.map((name) => [name, { effect: 'reads' }] as const),
  ...ACTING.map((name) => [name, { effect: 'acts' }] as const),
  ['run_shell_command', SHELL],
  ['write_file', WRITE_FILE],
  ['replace', REPLACE],
  ['google_web_search', doing(rich`🌐 ${bold('Search the web')}`, 'query')],
]);

/** Gemini CLI. Its hook does not send the approval mode. */
export const GEMINI: KnownAgent = {
  name: 'Gemini CLI',
  tool: (name) => TOOLS.get(name) ?? null,
  unguardedMode: () => null,
  subagent: () => null,
};
