import { randomUUID } from 'node:crypto';
import type { CountersignClient } from '../../../src/agent-side/client';
import { ServiceRefused } from '../../../src/agent-side/client/service-errors';
import { parseLine } from '../../../src/agent-side/run/control-protocol';
import type { Grants } from '../../../src/agent-side/run/grants';
import type { SessionFiles } from '../../../src/agent-side/run/session-files';
import { ToolGate, type GateEvent } from '../../../src/agent-side/run/tool-gate';

/** Asks for a tool while the client fails with this error. */
async function askWith(error: Error): Promise<{ readonly reply: string; readonly events: GateEvent[] }> {
  const events: GateEvent[] = [];
  const reply = await new Promise<string>((answer) => {
    const gate = new ToolGate({
      client: { enqueue: () => Promise.reject(error) } as unknown as CountersignClient,
      sessions: {} as unknown as SessionFiles,
      agentId: 'a',
      sessionId: randomUUID(),
      timeoutSeconds: undefined,
      grants: { take: () => undefined } as unknown as Grants,
      reply: (_id, given) => answer(given.kind === 'denied' ? `deny ${given.message}` : given.kind),
      report: (event) => events.push(event),
    });
    gate.ask('1', { toolName: 'Bash', toolInput: {}, toolUseId: null, cwd: '/' });
  });
  return { reply, events };
}

it('the model reads the message of a known error', async () => {
  const { reply } = await askWith(new ServiceRefused(429, 'x', 'too many requests are pending.'));
  expect(reply).toContain('deny');
  expect(reply).toContain('too many requests are pending');
});

it('the model reads nothing of an unexpected error, which the terminal shows', async () => {
  const { reply, events } = await askWith(new Error('ENOENT: /home/dev/.secret'));
  expect(reply).toContain('deny');
  expect(reply).not.toContain('.secret');
  expect(events).toContainEqual({
    kind: 'trouble',
    message: expect.stringContaining('/home/dev/.secret') as string,
  });
});

it.each([7, null, { a: 1 }, undefined])('a control request with the id %j is answered by it', (id) => {
  const request = { subtype: 'can_use_tool', tool_name: 'Bash', input: {} };
  const line = JSON.stringify({ type: 'control_request', request_id: id, request });
  expect(parseLine(line)).toMatchObject({ kind: 'unaskable', gating: true, requestId: id ?? null });
});
