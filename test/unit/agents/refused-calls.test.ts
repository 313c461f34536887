import { membersOf } from '../../../src/agents/member-spotter';
import { denialFor, mayMeanConnector, TELLING } from '../../../src/agents/refused-calls';

const HOOK = '/connectors/claude-code/hook';
const denialOf = (url: string, body: unknown) => denialFor(url, membersOf(body, TELLING), 'no');

const call = { id: 7, method: 'tools/call', params: { name: 'approve' } };
const asked = { hook_event_name: 'PermissionRequest' };

it.each([
  HOOK,
  `/${HOOK}//?x=1`,
  '/Connectors/claude-code;x',
  '/%63onnectors%2Fclaude-code%2fhook%20',
  `${HOOK}%`,
])('takes %s for the hook, whatever the body says', (url) => {
  for (const body of [undefined, null, 7, [], [asked], { hook_event_name: 7 }, call])
    expect(denialOf(url, body)?.answer).toMatchObject({
      hookSpecificOutput: { hookEventName: 'PreToolUse', permissionDecision: 'deny' },
    });
  expect(denialOf(url, asked)?.answer).toMatchObject({
    hookSpecificOutput: { hookEventName: 'PermissionRequest', decision: { behavior: 'deny' } },
  });
  expect(denialOf(url, { hook_event_name: 'Stop' })?.answer).toEqual({});
});

it.each(['/connectors/mcp', '/connectors/MCP', '/connectors', '/connectors/hook', '/connectors/other/hook'])(
  'lets the body tell who is meant at %s',
  (url) => {
    expect(denialOf(url, call)).toMatchObject({ connector: 'mcp', calls: 1, answer: { id: 7 } });
    expect(denialOf(url, asked)).toMatchObject({ connector: 'hook', calls: 1 });
    // Another agent may take a form that it does not know for no decision.
    for (const body of [undefined, {}, { hook_event_name: 'Stop' }, { hook_event_name: 'BeforeTool' }])
      expect(denialOf(url, body)).toBeNull();
    expect(denialOf(url, { ...call, method: 'initialize' })).toBeNull();
  },
);

it.each(['/', '/api/approvals', '/connectors-of-another', '/api/connectors/claude-code/hook'])(
  'leaves %s alone',
  (url) => {
    expect(mayMeanConnector(url)).toBe(false);
    for (const body of [call, asked]) expect(denialOf(url, body)).toBeNull();
  },
);

it('answers every request of a batch, of which it denies the calls', () => {
  const denial = denialOf('/connectors/mcp', [
    call,
    { id: 8, method: 'ping' },
    { method: 'x' },
    { ...call, id: 9 },
  ]);
  expect(denial).toMatchObject({ connector: 'mcp', calls: 2 });
  expect(denial?.answer).toMatchObject([
    { id: 7, result: {} },
    { id: 8, error: {} },
    { id: 9, result: {} },
  ]);
});
