/**
 * What a tool of Claude Code does. `reads`: it reads what is on the machine, or plans, and has no effect outside the
 * session. `asks`: it puts a question to the person at the terminal. `acts`: everything else.
 */
export type ToolEffect = 'reads' | 'acts' | 'asks';

/**
 * The tools of Claude Code 2.1.197 to 2.1.332, and those of earlier versions that are still in use; from the lists that
 * the CLI sends to its model and from the text of its package.
 *
 * `reads` is for tools of which every input is harmless. WebFetch and WebSearch send what they are given to others; LSP
 * starts programs of the project; a skill may run commands; an agent may be sent to another machine; resources of MCP
 * servers may be anything: these act.
 */
const TOOLS: Record<ToolEffect, readonly string[]> = {
  reads: [
    'BashOutput',
    'CronList',
    'EnterPlanMode',
    'GetTask',
    'Glob',
    'Grep',
    'LS',
    'ListAgents',
    'NotebookRead',
    'Read',
    'StructuredOutput',
    'TaskCreate',
    'TaskGet',
    'TaskList',
    'TaskOutput',
    'TaskUpdate',
    'TodoRead',
    'TodoWrite',
    'ToolSearch',
  ],
  asks: ['AskUserQuestion'],
  acts: [
    'Agent',
    'AppifactRepl',
    'Artifact',
    'Bash',
    'Brief',
    'ClaudeDesign',
    'Config',
    'CronCreate',
    'CronDelete',
    'DesignSync',
    'Edit',
    'EnterWorktree',
    'ExitPlanMode',
    'ExitWorktree',
    'KillBash',
    'KillShell',
    'LSP',
    'ListMcpResourcesTool',
    'McpTaskCheck',
    'McpTaskResumePolling',
    'McpTaskShowQuestion',
    'Monitor',
    'MultiEdit',
    'NotebookEdit',
    'OfferChromeSetup',
    'Poll',
    'PowerShell',
    'Projects',
    'PushNotification',
    'REPL',
    'ReadMcpResourceDirTool',
    'ReadMcpResourceTool',
    'ReadNotifications',
    'ReadWidgetContext',
    'RefreshMcpTools',
    'RemoteTrigger',
    'ReportFindings',
    'ScheduleWakeup',
    'SendMessage',
    'SendUserFile',
    'SendUserMessage',
    'SetGoal',
    'ShareOnboardingGuide',
    'ShowOnboardingRolePicker',
    'Skill',
    'SlashCommand',
    'Sleep',
    'SubagentHandback',
    'Task',
    'TaskStop',
    'TeamCreate',
    'TeamDelete',
    'WebFetch',
    'WebSearch',
    'Workflow',
    'WrapUp',
    'Write',
  ],
};

const EFFECTS: ReadonlyMap<string, ToolEffect> = new Map(
  (Object.keys(TOOLS) as ToolEffect[]).flatMap((effect) =>
    TOOLS[effect].map((name) => [name, effect] as const),
  ),
);

/** Tools of MCP servers, as Claude Code names them; `reads` is not known of any. */
const MCP_TOOL = /^mcp__.+__.+$/;

/** Null for a tool that is not described here; it is asked for like one that acts. */
export function toolEffect(toolName: string): ToolEffect | null {
  return EFFECTS.get(toolName) ?? (MCP_TOOL.test(toolName) ? 'acts' : null);
}
