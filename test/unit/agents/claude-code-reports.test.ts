import type { Approval } from '../../../src/approvals/approval';
import { reportedOn } from '../../../src/agents/claude-code/claude-code-reports';
import { parseReport, type ReportedCall } from '../../../src/agents/claude-code/claude-code-events';
import { inputDigest } from '../../../src/kernel/canonical-json';
import { anApproval, settled } from '../cards/approval-samples';

const toolInput = { command: 'make deploy' };

function reported(changes: object = {}): ReportedCall {
  const fields = { session_id: 's', tool_name: 'Bash', tool_input: toolInput, tool_use_id: 'toolu_1' };
  const report = parseReport({ hook_event_name: 'PostToolUse', ...fields, ...changes });
  if (report?.kind !== 'call-ended') throw new Error('this is no report of a call');
  return report.call;
}

const call = reported();

function asked(id: string, changes: Partial<Approval> = {}): Approval {
  const request = { toolName: 'Bash', toolInput, cwd: '/srv', ...changes };
  const digest = inputDigest({ toolName: request.toolName, toolInput: request.toolInput, cwd: request.cwd });
  return anApproval({ ...request, id, inputDigest: digest });
}

const idsOf = (open: readonly Approval[], of = call): string[] => reportedOn(of, open).map(({ id }) => id);

describe('a reported call', () => {
  it('is the one of its id and its action, and no other', () => {
    const open = [
      asked('this', { toolUseId: 'toolu_1' }),
      asked('other id', { toolUseId: 'toolu_2' }),
      asked('other action', { toolUseId: 'toolu_1', toolInput: { command: 'rm -rf /' } }),
      asked('other tool', { toolUseId: 'toolu_1', toolName: 'PowerShell' }),
    ];
    expect(idsOf(open)).toEqual(['this']);
  });

  it('of those without an id is the last that was approved', () => {
    const approved = (id: string): Approval => settled(asked(id), 'approved');
    expect(idsOf([asked('pending'), approved('earlier'), approved('later')])).toEqual(['later']);
  });

  it('of those without an id, none of them approved, is the first that is pending', () => {
    expect(idsOf([asked('first'), asked('second')])).toEqual(['first']);
  });

  it('of a subagent is none of another', () => {
    const open = [asked('theirs', { metadata: { claudeCode: { subagentId: 'one' } } }), asked('own')];
    expect(idsOf(open)).toEqual(['own']);
    expect(idsOf(open, { ...call, subagentId: 'one' })).toEqual(['theirs']);
    expect(idsOf(open, { ...call, subagentId: 'two' })).toEqual([]);
  });

  it('with the answers that Claude Code adds is still the question that was asked', () => {
    const questions = [{ question: 'Which?', options: [] }];
    const open = [
      asked('question', { toolName: 'AskUserQuestion', toolInput: { questions }, toolUseId: 'toolu_1' }),
    ];
    const input = { questions, answers: { 'Which?': 'this' }, annotations: {} };
    expect(idsOf(open, reported({ tool_name: 'AskUserQuestion', tool_input: input }))).toEqual(['question']);
    // Of any other tool, what is added is another action.
    const other = [asked('other', { toolUseId: 'toolu_1' })];
    expect(idsOf(other, reported({ tool_input: { ...toolInput, answers: {} } }))).toEqual([]);
  });

  // Compared with a thousand requests, an input of 4 MiB would be written a thousand times.
  it('does not hold its input, however large', () => {
    const large = reported({ tool_input: { content: 'x'.repeat(1_000_000) } });
    expect(JSON.stringify(large).length).toBeLessThan(1000);
  });
});
