import { EventEmitter } from 'node:events';
import type { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { Standing } from '../../../src/access/standing';
import type { Approval } from '../../../src/approvals/approval';
import { FinishedApprovals } from '../../../src/approvals/finished-approvals';
import { ApprovalStream } from '../../../src/approvals/approval-stream';
import { AwaitSettlementQuery } from '../../../src/approvals/queries/await-settlement';
import { callerGone } from '../../../src/access/caller-gone';
import { Heartbeats } from '../../../src/http/heartbeats';
import type { UnreadAnswers } from '../../../src/http/unread-answers';
import { createLog } from '../../../src/logging/log';

const pending = {
  status: 'pending',
  createdAt: new Date(0),
  expiresAt: new Date(60_000),
  decisions: [],
} as unknown as Approval;
const settled = {
  ...pending,
  status: 'cancelled',
  settledAt: new Date(1000),
  receipt: 'a.b.c',
  by: { kind: 'person', channel: 'api', id: 'x', name: 'x' },
  reason: null,
} as unknown as Approval;

/** Records the output of the stream without a network. */
class Raw extends EventEmitter {
  readonly written: string[] = [];
  ended = false;
  destroyed = false;
  writeHead = () => this;
  flushHeaders = () => undefined;
  writableNeedDrain = false;
  write = (text: string) => this.written.push(text);
  end = () => void (this.ended = true);
}

function stream(awaiting: () => Promise<Approval | null>, standing = new Standing()) {
  const raw = new Raw();
  const logged: string[] = [];
  const queries = {
    execute: (query: unknown) =>
      query instanceof AwaitSettlementQuery ? awaiting() : Promise.resolve({ approval: pending }),
  } as unknown as QueryBus;
  const reply = {
    raw,
    header: () => undefined,
    hijack: () => undefined,
    getHeaders: () => ({}),
  } as unknown as FastifyReply;
  const log = createLog({ level: 'info', format: 'json' }, { write: (line) => void logged.push(line) });
  const caller = { keyId: 'k', owner: null, role: 'agent', channel: 'api' as const, standing } as const;
  const unread = { write: (out: Raw, text: string) => out.write(text) } as unknown as UnreadAnswers;
  const events = new ApprovalStream(
    queries,
    new FinishedApprovals(queries, {} as CommandBus),
    new Heartbeats(),
    unread,
    log,
  );
  const sent = events.send('id', 'everything', { caller, gone: callerGone(reply, caller) }, reply);
  return { raw, logged, sent };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

it('a quiet stream sends a comment every 15 s, until the settled event, and none afterwards', async () => {
  let settle: (approval: Approval) => void = () => undefined;
  const { raw, sent } = stream(() => new Promise((resolve) => (settle = resolve)));
  await jest.advanceTimersByTimeAsync(14_999);
  expect(raw.written).toHaveLength(1);
  await jest.advanceTimersByTimeAsync(1);
  expect(raw.written[1]).toMatch(/^: .*\n\n$/);
  await jest.advanceTimersByTimeAsync(30_000);
  expect(raw.written).toHaveLength(4);
  settle(settled);
  await sent;
  expect(raw.written.at(-1)).toMatch(/^event: approval\ndata: \{.*"status":"cancelled".*\}\n\n$/);
  expect(raw.ended).toBe(true);
  expect(jest.getTimerCount()).toBe(0);
});

it('a stream that is not read gets no comments on top of what waits for it', async () => {
  const { raw } = stream(() => new Promise(() => undefined));
  await jest.advanceTimersByTimeAsync(0);
  raw.writableNeedDrain = true;
  await jest.advanceTimersByTimeAsync(60_000);
  expect(raw.written).toHaveLength(1);
});

it('a stream whose replica stops ends without a settled event', async () => {
  const { raw, sent } = stream(() => Promise.resolve(null));
  await sent;
  expect(raw.written).toHaveLength(1);
  expect(raw.ended).toBe(true);
});

it('a stream that can no longer be followed ends, says so in the log, and stops its heartbeat', async () => {
  const { raw, logged, sent } = stream(() => Promise.reject(new Error('the database is away')));
  await sent;
  expect(raw.ended).toBe(true);
  expect(logged.join('')).toContain('stream.failed');
  expect(jest.getTimerCount()).toBe(0);
});

it('a stream whose key was revoked ends without the settled event', async () => {
  let settle: (approval: Approval) => void = () => undefined;
  const standing = new Standing();
  const { raw, sent } = stream(() => new Promise((resolve) => (settle = resolve)), standing);
  await jest.advanceTimersByTimeAsync(0);
  standing.end();
  settle(settled);
  await sent;
  expect(raw.written).toHaveLength(1);
  expect(raw.ended).toBe(true);
});
