import type { JsonObject } from '../../kernel/json';
import type { KnownMember } from '../action-part';
import { languageOf } from '../code-language';
import { bold, rich, words, type RichText } from '../rich-text';
import { count, countLines, nameOf, pathOf } from '../titles';
import { manyEdits, oneEdit, questionParts } from './claude-code-inputs';
import type { KnownAgent, KnownTool } from './known-agent';
import { acts, block, doing, ifOn, isOn, line, namesIn, runs, textOf, titled, WEB_FETCH } from './tool-forms';

const FILE: KnownMember = { ...line('file_path', 'File'), isDetail: true };

const edits = (
  structure: NonNullable<KnownTool['structure']>,
  dangers: NonNullable<KnownTool['dangers']>,
): KnownTool =>
  acts({
    title: titled('file_path', (path, _input, { cwd, places }) =>
      places === null
        ? rich`📝 ${bold('Edit')} ${pathOf(path, cwd)}`
        : rich`📝 ${bold(`Edit ${count(places, 'place')}`)} in ${pathOf(path, cwd)}`,
    ),
    dangers,
    members: () => [FILE],
    structure,
    target: ({ file_path: path }) => textOf(path),
  });

const EVERYWHERE = 'Every occurrence';
/** More edits are not named in a warning. */
const MAX_NAMED_EDITS = 6;

const cellOf = ({ cell_id: id, cell_number: number }: JsonObject): RichText | null => {
  if (typeof id === 'string') return nameOf(id);
  return typeof number === 'number' ? words(String(number)) : null;
};

const NOTEBOOK_EDIT = acts({
  title: titled('notebook_path', (path, input, { cwd }) => {
    const cell = cellOf(input);
    const of = cell === null ? words('a cell') : rich`cell ${cell}`;
    const mode = input.edit_mode ?? 'replace';
    if (mode === 'replace') return rich`📝 ${bold('Replace')} ${of} in ${pathOf(path, cwd)}`;
    if (mode === 'delete') return rich`🚮 ${bold('Delete')} ${of} in ${pathOf(path, cwd)}`;
    if (mode !== 'insert') return null;
    const place = cell === null ? words('into') : rich`after ${of} in`;
    return rich`📝 ${bold('Insert a cell')} ${place} ${pathOf(path, cwd)}`;
  }),
  dangers: (input) => {
    if (input.edit_mode !== 'delete') return [];
    const cell = cellOf(input);
    return [cell === null ? bold('Deletes a cell') : rich`${bold('Deletes cell')} ${cell}`];
  },
  // The text that comes with a deletion has no effect.
  members: ({ edit_mode: mode, cell_type: type }) => [
    { ...line('notebook_path', 'Notebook'), isDetail: true },
    ...(mode === 'delete'
      ? []
      : [block('new_source', 'New source', type === 'markdown' ? 'markdown' : 'python')]),
  ],
  target: ({ notebook_path: path }) => textOf(path),
});

const WRITE = acts({
  // Whether the file exists already is not known here.
  title: titled('file_path', (path, { content }, { cwd }) =>
    typeof content === 'string'
      ? rich`🆕 ${bold('Create or overwrite')} ${pathOf(path, cwd)}: ${words(content === '' ? 'empty' : count(countLines(content), 'line'))}`
      : null,
  ),
  members: ({ file_path: path }) => [
    FILE,
    typeof path === 'string'
      ? { ...block('content', 'Content', languageOf(path)), path }
      : block('content', 'Content'),
  ],
  target: ({ file_path: path }) => textOf(path),
});

const SUBAGENT = acts({
  title: titled(
    'prompt',
    (_prompt, { subagent_type: type, description }) =>
      rich`🤖 ${bold('Start a subagent')}${typeof type === 'string' ? rich` ${nameOf(type)}` : words('')}${
        typeof description === 'string' ? rich`: ${nameOf(description)}` : words('')
      }`,
  ),
  dangers: (input) => [
    ...ifOn(input.run_in_background, 'In the background'),
    ...(input.mode === 'bypassPermissions' ? [bold('Without its own permission checks')] : []),
  ],
  members: () => [
    { ...line('subagent_type', 'Subagent to start'), isDetail: true },
    { ...line('description', 'Description by the agent'), isDetail: true },
    block('prompt', 'Prompt', 'markdown'),
  ],
});

/** Words for those of several edits that change every occurrence. */
function everywhereIn({ edits: list }: JsonObject): RichText[] {
  if (!Array.isArray(list)) return [];
  const numbers = list.flatMap((edit, i) => (isOn((edit as JsonObject | null)?.replace_all) ? [i + 1] : []));
  if (numbers.length === 0) return [];
  const which =
    numbers.length === list.length ? '' : ` of edit ${numbers.slice(0, MAX_NAMED_EDITS).join(', ')}`;
  return [
    rich`${bold(EVERYWHERE)}${words(`${which}${numbers.length > MAX_NAMED_EDITS ? ' and more' : ''}`)}`,
  ];
}

/** Tools that are harmless with any input. */
const READING = namesIn(`
  BashOutput CronList EnterPlanMode GetTask Glob Grep LS ListAgents NotebookRead Read StructuredOutput TaskCreate
  TaskGet TaskList TaskOutput TaskUpdate TodoRead TodoWrite ToolSearch
`);

/**
 * Tools that act, with inputs that read well as JSON. WebSearch sends its input to others; LSP starts programs of the
 * project; a skill may run commands; an agent may run on another machine; resources of MCP servers may be anything.
 */
const ACTING = namesIn(`
  Agent AppifactRepl Artifact Brief ClaudeDesign Config CronCreate CronDelete DesignSync EnterWorktree ExitPlanMode
  ExitWorktree KillBash KillShell LSP ListMcpResourcesTool McpTaskCheck McpTaskResumePolling McpTaskShowQuestion
  OfferChromeSetup Poll Projects PushNotification REPL ReadMcpResourceDirTool ReadMcpResourceTool ReadNotifications
  ReadWidgetContext RefreshMcpTools RemoteTrigger ReportFindings ScheduleWakeup SendMessage SendUserFile
  SendUserMessage SetGoal ShareOnboardingGuide ShowOnboardingRolePicker Skill SlashCommand Sleep SubagentHandback
  Task TaskStop TeamCreate TeamDelete WebSearch Workflow WrapUp
`);

/**
 * The tools of Claude Code 2.1.197 to 2.1.332, and those of earlier versions that are still in use. Sources: the lists
 * that the CLI sends to its model, and the code of its package.
 */
const TOOLS: ReadonlyMap<string, KnownTool> = new Map<string, KnownTool>([
  ...READING.map((name) => [name, { effect: 'reads' }] as const),
  ...ACTING.map((name) => [name, { effect: 'acts' }] as const),
  ['Bash', runs('bash')],
  ['PowerShell', runs('powershell')],
  ['Monitor', runs('bash', 'Watch the output of a command')],
  ['WebFetch', WEB_FETCH],
  ['Write', WRITE],
  ['Edit', edits(oneEdit, ({ replace_all: everywhere }) => ifOn(everywhere, EVERYWHERE))],
  ['MultiEdit', edits(manyEdits, everywhereIn)],
  ['NotebookEdit', NOTEBOOK_EDIT],
  ['Agent', SUBAGENT],
  ['Task', SUBAGENT],
  [
    'ExitPlanMode',
    acts({
      title: () => rich`🧭 ${bold('Carry out this plan')}`,
      members: () => [block('plan', 'Plan', 'markdown')],
    }),
  ],
  ['WebSearch', doing(rich`🌐 ${bold('Search the web')}`, 'query')],
  ['Skill', doing(rich`🧩 ${bold('Use a skill')}`, 'skill')],
  ['SlashCommand', doing(rich`🧩 ${bold('Run a slash command')}`, 'command')],
  ['KillShell', doing(rich`🛑 ${bold('Stop a background command')}`, 'shell_id')],
  ['KillBash', doing(rich`🛑 ${bold('Stop a background command')}`, 'shell_id')],
  ['TaskStop', doing(rich`🛑 ${bold('Stop a background task')}`, 'task_id')],
  ['SendMessage', doing(rich`📨 ${bold('Send a message to')}`, 'to', [block('message', 'Message')])],
  [
    'CronCreate',
    doing(rich`⏰ ${bold('Schedule a prompt')}`, 'cron', [block('prompt', 'Prompt', 'markdown')]),
  ],
  ['CronDelete', doing(rich`🚮 ${bold('Delete a schedule')}`, 'id')],
  ['AskUserQuestion', { effect: 'asks', structure: questionParts }],
]);

/** Names of MCP tools in Claude Code; the service cannot know that any of them only reads. */
const MCP_TOOL = /^mcp__.+__.+$/;

/** Modes in which Claude Code refuses an undecided tool, or asks the person at the terminal. */
const GUARDED_MODES: ReadonlySet<string> = new Set(['default', 'plan', 'dontAsk']);

export const CLAUDE_CODE: KnownAgent = {
  name: 'Claude Code',
  tool: (name) => TOOLS.get(name) ?? (MCP_TOOL.test(name) ? { effect: 'acts' } : null),
  unguardedMode({ claudeCode }) {
    const mode = (claudeCode as JsonObject | null | undefined)?.permissionMode;
    return typeof mode === 'string' && !GUARDED_MODES.has(mode) ? mode : null;
  },
  subagent: ({ claudeCode }) => textOf((claudeCode as JsonObject | null | undefined)?.subagentType),
};
