import { Standing } from '../../../src/access/standing';
import {
  gatingEventNamed,
  hookOutput,
  parseHook,
  questionOf,
} from '../../../src/agents/claude-code/claude-code-hook';
import { eventOf } from '../../../src/agents/http-hook';
import { InvalidInput } from '../../../src/kernel/errors';
import { anApproval, settled } from '../cards/approval-samples';
import { permissionRequest, preToolUse } from '../../support/hook-client';

const caller = {
  keyId: 'ci',
  owner: null,
  role: 'agent',
  channel: 'api' as const,
  standing: new Standing(),
} as const;
const gatingEventOf = (body: unknown) =>
  eventOf({ eventMember: 'hook_event_name', callMember: 'tool_name', gating: gatingEventNamed }, body);
const questionFor = (payload: unknown) => questionOf(parseHook(payload), caller);

describe('which event must be answered', () => {
  it.each(['PreToolUse', 'PermissionRequest'])('%s', (name) => {
    expect(gatingEventOf({ hook_event_name: name })).toBe(name);
  });

  it.each([null, undefined, [], 'text', {}, { hook_event_name: 7 }])(
    '%j, as if a tool wanted to run',
    (body) => {
      expect(gatingEventOf(body)).toBe('PreToolUse');
    },
  );

  it.each(['PostToolUse', 'Stop', 'SomethingNew', 'constructor'])('not %s, which gates nothing', (name) => {
    expect(gatingEventOf({ hook_event_name: name })).toBeNull();
  });
});

it.each(['pretooluse', 'PreToolUse ', 'BeforeTool', 'constructor'])(
  'a tool call under the unknown event name %j needs a decision, and gets a denial',
  (name) => {
    const body = preToolUse({ hook_event_name: name });
    expect(gatingEventOf(body)).toBe('PreToolUse');
    expect(() => parseHook(body)).toThrow(InvalidInput);
  },
);

it.each(['PostToolUse', 'PostToolUseFailure', 'PermissionDenied'])('a report of %s asks nothing', (name) => {
  expect(gatingEventOf(preToolUse({ hook_event_name: name }))).toBeNull();
});

describe('the payload', () => {
  it('may hold members that are not known here', () => {
    expect(parseHook(preToolUse({ novelty: { deep: [1] } }))).not.toHaveProperty('novelty');
  });

  it.each(['session_id', 'tool_name', 'tool_input'])('is refused without %s', (member) => {
    expect(() => parseHook({ ...preToolUse(), [member]: undefined })).toThrow(InvalidInput);
  });

  it('becomes the question with the input untouched', () => {
    const toolInput = { command: 'ls', nested: { __proto__: null, list: [1, 'two', null] } };
    const { body } = questionFor(
      preToolUse({ tool_input: toolInput, agent_id: 'sub-1', agent_type: 'Explore' }),
    );
    expect(body).toMatchObject({
      agentId: 'ci',
      toolName: 'Bash',
      metadata: {
        claudeCode: {
          event: 'PreToolUse',
          permissionMode: 'default',
          subagentId: 'sub-1',
          subagentType: 'Explore',
        },
      },
    });
    expect(body.toolInput).toBe(toolInput);
  });
});

describe('a retry is known', () => {
  it('by session and tool use', () => {
    const payload = preToolUse();
    const { identity } = questionFor(payload);
    expect(questionFor({ ...payload, prompt_id: 'other' }).identity).toEqual(identity);
    for (const more of [
      { tool_use_id: 'other' },
      { session_id: 'other' },
      { permission_mode: 'acceptEdits' },
      { agent_id: 'other' },
      { agent_type: 'other' },
      { hook_event_name: 'PermissionRequest' },
    ])
      expect(questionFor({ ...payload, ...more }).identity).not.toEqual(identity);
  });

  it('without a tool use by session and prompt', () => {
    const payload = permissionRequest();
    const { identity } = questionFor(payload);
    expect(questionFor({ ...payload, permission_suggestions: [{}] }).identity).toEqual(identity);
    for (const more of [{ session_id: 'other' }, { prompt_id: 'other' }])
      expect(questionFor({ ...payload, ...more }).identity).not.toEqual(identity);
  });
});

describe('the output', () => {
  const answer = { answer: { kind: 'rejected', allow: false, message: 'no' }, ending: null } as const;
  const approval = settled(
    anApproval({ toolName: 'ExitPlanMode', toolInput: { plan: 'all of it' } }),
    'approved',
  );
  const allowed = {
    answer: { kind: 'approved', allow: true, message: 'yes' },
    ending: { kind: 'settled', approval, hold: 0 },
  } as const;

  it('of PreToolUse', () => {
    const output = (permissionDecision: string, permissionDecisionReason: string) => ({
      hookSpecificOutput: { hookEventName: 'PreToolUse', permissionDecision, permissionDecisionReason },
    });
    expect(hookOutput('PreToolUse', answer)).toEqual(output('deny', 'no'));
    const { hookSpecificOutput } = output('allow', 'yes');
    expect(hookOutput('PreToolUse', allowed)).toEqual({
      hookSpecificOutput: { ...hookSpecificOutput, updatedInput: { plan: 'all of it' } },
    });
  });

  it('of PermissionRequest', () => {
    const output = (decision: object) => ({
      hookSpecificOutput: { hookEventName: 'PermissionRequest', decision },
    });
    expect(hookOutput('PermissionRequest', answer)).toEqual(output({ behavior: 'deny', message: 'no' }));
    expect(hookOutput('PermissionRequest', allowed)).toEqual(
      output({ behavior: 'allow', updatedInput: { plan: 'all of it' } }),
    );
  });
});

describe('the note of a person who approved', () => {
  const outcomeOf = (reason: string | null, more: object = {}) => {
    const approval = settled(anApproval(), 'approved', { reason, ...more });
    return {
      answer: { kind: 'approved', allow: true, message: `Approved by Alice: ${reason}` },
      ending: { kind: 'settled', approval, hold: 0 },
    } as const;
  };
  const contextOf = (...asked: Parameters<typeof hookOutput>) =>
    (hookOutput(...asked) as { hookSpecificOutput: { additionalContext?: string } }).hookSpecificOutput
      .additionalContext;

  it('reaches the model of PreToolUse, which does not read the reason of an approval', () => {
    expect(contextOf('PreToolUse', outcomeOf('only on staging'))).toBe('Approved by Alice: only on staging');
    expect(contextOf('PreToolUse', outcomeOf(null))).toBeUndefined();
  });

  it('is left out where PermissionRequest has no member for it, and where a rule approved', () => {
    expect(contextOf('PermissionRequest', outcomeOf('only on staging'))).toBeUndefined();
    const by = { kind: 'policy', version: 'sha256:1', rule: 'tests' };
    expect(contextOf('PreToolUse', outcomeOf('allowed', { by }))).toBeUndefined();
  });
});
