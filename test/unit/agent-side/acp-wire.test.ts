import { setImmediate as turn } from 'node:timers/promises';
import { AcpWire } from '../../../src/agent-side/acp/acp-wire';
import type { CountersignClient } from '../../../src/agent-side/client';
import type { SessionFiles } from '../../../src/agent-side/run/session-files';
import type { GateEvent } from '../../../src/agent-side/run/tool-gate';
import { until } from '../../support/until';

interface Request {
  readonly id: string;
  readonly input: unknown;
  status: string;
  settle: (status: string) => void;
}

/** A wire between a client and an agent, with operators who decide when the test says so. */
class Rig {
  readonly toAgent: object[] = [];
  readonly events: GateEvent[] = [];
  readonly requests: Request[] = [];
  readonly wire: AcpWire;

  constructor() {
    const { requests } = this;
    const find = (id: string): Request => requests.find((each) => each.id === id) as Request;
    const client = {
      enqueue: (ask: { toolInput: unknown }) => {
        requests.push({
          id: String(requests.length),
          input: ask.toolInput,
          status: 'pending',
          settle: () => undefined,
        });
        return Promise.resolve({ ...ask, ...requests.at(-1) });
      },
      settled: ({ id }: { id: string }, { signal }: { signal: AbortSignal }) =>
        new Promise((done, fail) => {
          find(id).settle = (status) =>
            done({ ...find(id), status, decision: { by: { name: 'o' }, reason: null } });
          signal.addEventListener('abort', () => fail(new Error('aborted')), { once: true });
        }),
      verify: () => Promise.resolve(),
      acknowledge: () => Promise.resolve({}),
      cancel: (id: string) => {
        find(id).status = 'cancelled';
        return Promise.resolve({ ...find(id) });
      },
    } as unknown as CountersignClient;
    const sessions = {
      write: () => Promise.resolve(),
      claim: () => Promise.resolve(true),
    } as unknown as SessionFiles;
    this.wire = new AcpWire({
      ...{ client, sessions, agentId: 'a', timeoutSeconds: undefined },
      toAgent: (message) => this.toAgent.push(message),
      report: (event) => this.events.push(event),
    });
    this.client({ id: 1, method: 'session/new', params: { cwd: '/w' } });
    this.agent({ id: 1, result: { sessionId: 's' } });
  }

  /** @returns the line that the agent got; null if it got none */
  client(message: object | string): string | null {
    const text = typeof message === 'string' ? message : JSON.stringify({ jsonrpc: '2.0', ...message });
    let passed: string | null = null;
    this.wire.fromClient(Buffer.from(`${text}\n`), (line) => {
      passed = line.toString().trim();
      return true;
    });
    return passed;
  }

  /** @returns true if the client got it */
  agent(message: object): boolean {
    return this.wire.isForClient(Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`));
  }

  announce(update: object): void {
    this.agent({
      method: 'session/update',
      params: { sessionId: 's', update: { sessionUpdate: 'tool_call_update', toolCallId: 'c', ...update } },
    });
  }

  /** Asks for `ls`, which the question itself does not name. */
  async ask(): Promise<Request> {
    this.announce({ sessionUpdate: 'tool_call', kind: 'execute', rawInput: { command: 'ls' } });
    this.question(7);
    return this.asked(0);
  }

  question(id: number): void {
    this.agent({
      id,
      method: 'session/request_permission',
      params: {
        sessionId: 's',
        toolCall: { toolCallId: 'c' },
        options: [
          { optionId: 'y', name: 'y', kind: 'allow_once' },
          { optionId: 'n', name: 'n', kind: 'reject_once' },
        ],
      },
    });
  }

  async asked(n: number): Promise<Request> {
    await until('a request', () => this.requests.length > n);
    await turn();
    return this.requests[n] as Request;
  }

  async answered(): Promise<unknown> {
    await until('an answer', () => this.toAgent.length > 0);
    return this.toAgent.map((message) => (message as { result?: { outcome: unknown } }).result?.outcome);
  }
}

const selected = (optionId: string) => [{ outcome: 'selected', optionId }];

describe('an announcement while operators look', () => {
  it('of another input takes the question back and asks anew; the old approval allows nothing', async () => {
    const rig = new Rig();
    const old = await rig.ask();
    rig.announce({ rawInput: { command: 'rm -rf /' } });
    old.settle('approved');
    const anew = await rig.asked(1);
    expect(anew.input).toEqual({ command: 'rm -rf /' });
    expect(old.status).toBe('cancelled');
    expect(rig.toAgent).toEqual([]);
    anew.settle('rejected');
    expect(await rig.answered()).toEqual(selected('n'));
  });

  it.each<[string, object]>([
    ['cannot be read', { rawInput: { command: 'rm' }, locations: [{}] }],
    ['ends the call', { status: 'completed' }],
    ['ends the call unreadably', { status: 'failed', locations: [{}] }],
  ])('that %s has the call rejected at once', async (_name, update) => {
    const rig = new Rig();
    const asked = await rig.ask();
    rig.announce(update);
    expect(await rig.answered()).toEqual(selected('n'));
    asked.settle('approved');
    await until('the cancellation', () => asked.status === 'cancelled');
    expect(rig.toAgent).toHaveLength(1);
    expect(rig.events.filter(({ kind }) => kind === 'denied')).toHaveLength(1);
  });

  it('of its progress changes nothing', async () => {
    const rig = new Rig();
    const asked = await rig.ask();
    rig.announce({ status: 'in_progress', title: 'Another title' });
    asked.settle('approved');
    expect(await rig.answered()).toEqual(selected('y'));
    expect(rig.requests).toHaveLength(1);
  });
});

describe('the client', () => {
  it.each<[string, object | string]>([
    ['an answer', { id: 7, result: { outcome: { outcome: 'selected', optionId: 'y' } } }],
    ['an error', { id: 7, error: { code: 1, message: '' } }],
    ['an answer with a method', { id: 7, method: 'x', result: {} }],
    ['an answer to a later question', { id: 8, result: {} }],
    ['an answer with two ids', '{"id":7,"result":{},"id":50}'],
    ['an answer in a batch', '[{"id":7,"result":{}}]'],
    ['an answer after a byte order mark', '\ufeff{"id":7,"result":{}}'],
    ['a line that only lenient readers understand', '{"id":7,"result":{},}'],
  ])('cannot answer a question: %s', async (_name, message) => {
    const rig = new Rig();
    const asked = await rig.ask();
    rig.agent({ id: 50, method: 'fs/read_text_file', params: {} });
    expect(rig.client(message)).toBeNull();
    expect(rig.events).toContainEqual({
      kind: 'trouble',
      message: expect.stringContaining('dropped') as string,
    });
    rig.toAgent.length = 0;
    asked.settle('rejected');
    expect(await rig.answered()).toEqual(selected('n'));
  });

  it('answers a request that it has got, once', () => {
    const rig = new Rig();
    expect(rig.agent({ id: 7, method: 'fs/read_text_file', params: {} })).toBe(true);
    const answer = '{"jsonrpc":"2.0","id":7,"result":{"content":"x"}}';
    expect(rig.client(answer)).toBe(answer);
    expect(rig.client(answer)).toBeNull();
  });

  it.each([
    ['the question first', true],
    ['the other request first', false],
  ])('cannot answer a question by a request with the same id: %s', async (_name, isQuestionFirst) => {
    const rig = new Rig();
    if (isQuestionFirst) await rig.ask();
    rig.agent({ id: 7, method: 'fs/read_text_file', params: {} });
    if (!isQuestionFirst) rig.question(7);
    expect(await rig.answered()).toEqual([{ outcome: 'cancelled' }]);
  });
});
