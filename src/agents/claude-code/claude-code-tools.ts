import type { ToolEffect } from '../adapter';

/**
 * The tools of Claude Code 2.1.197 to 2.1.332, and those of earlier versions that are still in use. Sources: the lists
 * that the CLI sends to its model, and the code of its package.
 *
 * `reads` is for tools that are harmless with any input. These act: WebFetch and WebSearch send their input to others;
 * LSP starts programs of the project; a skill may run commands; an agent may run on another machine; resources of MCP
 * servers may be anything.
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

/** Names of MCP tools in Claude Code; the service cannot know that any of them only reads. */
const MCP_TOOL = /^mcp__.+__.+$/;

/** Effect of the tool; null if the list does not contain it: operators are then asked as for a tool that acts. */
export function toolEffect(toolName: string): ToolEffect | null {
  return EFFECTS.get(toolName) ?? (MCP_TOOL.test(toolName) ? 'acts' : null);
}
