import { CLAUDE_CODE } from '../../../src/cards/known-agents/claude-code';
import { QUESTION_TOOLS } from '../../../src/kernel/question-tools';

const toolEffect = (name: string) => CLAUDE_CODE.tool(name)?.effect ?? null;

describe('tools of Claude Code', () => {
  it.each([
    'Read',
    'Glob',
    'Grep',
    'LS',
    'NotebookRead',
    'TodoWrite',
    'TaskCreate',
    'TaskList',
    'ToolSearch',
  ])('%s only reads or plans', (name) => expect(toolEffect(name)).toBe('reads'));

  it.each([
    ...['Bash', 'PowerShell', 'Monitor', 'Write', 'Edit', 'MultiEdit', 'NotebookEdit', 'REPL', 'Workflow'],
    ...['WebFetch', 'WebSearch', 'Agent', 'Task', 'Skill', 'LSP', 'ExitPlanMode', 'SendMessage', 'KillShell'],
    ...['ReadMcpResourceTool', 'ListMcpResourcesTool', 'ScheduleWakeup', 'CronCreate', 'Config'],
  ])('%s acts', (name) => expect(toolEffect(name)).toBe('acts'));

  it('AskUserQuestion asks', () => expect(toolEffect('AskUserQuestion')).toBe('asks'));

  it.each([...QUESTION_TOOLS])('%s asks, as the rule of possible verdicts assumes', (name) =>
    expect(toolEffect(name)).toBe('asks'),
  );

  it('tools of MCP servers act, whatever their names promise', () => {
    expect(toolEffect('mcp__files__Read')).toBe('acts');
    expect(toolEffect('mcp__files__read_file')).toBe('acts');
  });

  it.each([
    'read',
    'READ',
    ' Read',
    'Read ',
    'Read\u0000',
    'Reаd',
    '',
    'mcp__',
    'Teleport',
    '__proto__',
    'toString',
  ])('%j is not known', (name) => expect(toolEffect(name)).toBeNull());
});
