import type { JsonObject } from '../../kernel/json';
import type { KnownMember } from '../action-part';
import type { CodeLanguage } from '../rich-text';
import { editParts, questionParts } from './claude-code-inputs';
import type { KnownAgent, KnownTool } from './known-agent';

const line = (name: string, label: string): KnownMember => ({ name, label, layout: 'line' });
const block = (name: string, label: string): KnownMember => ({ name, label, layout: 'block' });

const acts = (...members: readonly KnownMember[]): KnownTool => ({ effect: 'acts', members });

const runs = (language: CodeLanguage): KnownTool =>
  acts({ ...block('command', 'Command'), language }, line('description', 'Description by the agent'));

const namesIn = (list: string): string[] => list.trim().split(/\s+/);

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
  ['Monitor', runs('bash')],
  ['WebFetch', acts(line('url', 'URL'), line('prompt', 'Prompt'))],
  ['Write', acts(line('file_path', 'File'), block('content', 'Content'))],
  ['Edit', acts(line('file_path', 'File'), block('old_string', 'Before'), block('new_string', 'After'))],
  ['MultiEdit', { ...acts(line('file_path', 'File')), structure: { member: 'edits', parts: editParts } }],
  ['NotebookEdit', acts(line('notebook_path', 'Notebook'), block('new_source', 'New source'))],
  ['AskUserQuestion', { effect: 'asks', structure: { member: 'questions', parts: questionParts } }],
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
};
