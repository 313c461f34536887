import type { JsonObject } from '../../kernel/json';
import { editParts, type KnownMember } from '../action-part';
import { languageOf } from '../code-language';
import { bold, rich, words } from '../rich-text';
import { count, countLines, nameOf, pathOf } from '../titles';
import type { KnownAgent, KnownTool, Structure } from './known-agent';
import { acts, block, doing, ifOn, line, namesIn, runs, textOf, titled, WEB_FETCH } from './tool-forms';

const PATH: KnownMember = { ...line('path', 'File'), isDetail: true };

const CREATE = acts({
  title: titled('path', (path, { file_text: text }, { cwd }) =>
    typeof text === 'string'
      ? rich`🆕 ${bold('Create')} ${pathOf(path, cwd)}: ${words(text === '' ? 'empty' : count(countLines(text), 'line'))}`
      : null,
  ),
  members: ({ path }) => [
    PATH,
    block('file_text', 'Content', typeof path === 'string' ? languageOf(path) : undefined),
  ],
  target: ({ path }) => textOf(path),
});

function replacement({ old_str: before, new_str: after }: JsonObject): Structure | null {
  if (typeof before !== 'string' || typeof after !== 'string') return null;
  return {
    members: ['old_str', 'new_str'],
    parts: editParts(['Before', 'After'], [before, after], { heading: '' }),
  };
}

const EDIT = acts({
  title: titled('path', (path, _input, { cwd }) => rich`📝 ${bold('Edit')} ${pathOf(path, cwd)}`),
  members: () => [PATH],
  structure: replacement,
  target: ({ path }) => textOf(path),
});

const bash = runs('bash');

const BASH: KnownTool = {
  ...bash,
  dangers: ({ mode, detach }) => [
    ...(mode === 'async' ? [bold('In the background')] : []),
    ...ifOn(detach, 'Goes on after the session'),
  ],
};

const TASK = acts({
  title: titled(
    'prompt',
    (_prompt, { agent_type: type, name }) =>
      rich`🤖 ${bold('Start a subagent')}${typeof type === 'string' ? rich` ${nameOf(type)}` : words('')}${
        typeof name === 'string' ? rich`: ${nameOf(name)}` : words('')
      }`,
  ),
  members: () => [
    { ...line('agent_type', 'Subagent to start'), isDetail: true },
    { ...line('description', 'Description by the agent'), isDetail: true },
    block('prompt', 'Prompt', 'markdown'),
  ],
});

/** Tools that only read or plan. `ask_user` asks the person at the terminal, and `exit_plan_mode` shows a plan there. */
const READING = namesIn(`
  ask_user exit_plan_mode fetch_copilot_cli_documentation glob grep list_agents list_bash read_agent read_bash
  report_intent rg update_todo view
`);

/** Tools that act. The two with SQL may also attach and write other files. */
const ACTING = namesIn(`session_store_sql skill sql stop_bash write_agent`);

/** The tools of Copilot CLI 1.0.102, as it lists them to its model. */
const TOOLS: ReadonlyMap<string, KnownTool> = new Map<string, KnownTool>([
  ...READING.map((name) => [name, { effect: 'reads' }] as const),
  ...ACTING.map((name) => [name, { effect: 'acts' }] as const),
  ['bash', BASH],
  ['create', CREATE],
  ['edit', EDIT],
  ['task', TASK],
  ['skill', doing(rich`🧩 ${bold('Use a skill')}`, 'skill')],
  ['stop_bash', doing(rich`🛑 ${bold('Stop a background command')}`, 'shellId')],
  ['sql', doing(rich`🗃 ${bold('Query the session database')}`, 'query', [block('query', 'Query', 'sql')])],
  ['web_fetch', WEB_FETCH],
]);

/** Copilot CLI. Its hook does not send the permission mode. Its patches have the form of Codex. */
export const COPILOT: KnownAgent = {
  name: 'Copilot CLI',
  tool: (name) => TOOLS.get(name) ?? (name === 'apply_patch' ? { effect: 'acts' } : null),
  unguardedMode: () => null,
  subagent: () => null,
};
