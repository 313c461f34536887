import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { FastifyReply } from 'fastify';
import type { Identity } from '../../../../src/access/identity';
import type { OpenAnswers } from '../../../../src/access/open-answers';
import { EventsController } from '../../../../src/channels/console/events.controller';
import type { InboxFeed, Listener } from '../../../../src/channels/console/inbox-feed';
import type { Heartbeats } from '../../../../src/http/heartbeats';
import type { UnreadAnswers } from '../../../../src/http/unread-answers';
import { until } from '../../../support/until';

const MIB = 1024 * 1024;

let server: Server;
let caller: Socket;
let answer: ServerResponse | undefined;
const listeners = new Set<Listener>();

beforeEach(async () => {
  const listen = (listener: Listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const hold = ({ raw }: FastifyReply) => {
    const gone = new AbortController();
    raw.once('close', () => gone.abort());
    return Promise.resolve(gone.signal);
  };
  const controller = new EventsController(
    { listen } as unknown as InboxFeed,
    { hold } as unknown as OpenAnswers,
    { start: () => () => undefined } as unknown as Heartbeats,
    { write: (out: ServerResponse, piece: string) => out.write(piece) } as unknown as UnreadAnswers,
  );
  server = createServer((_, raw) => {
    answer = raw;
    const reply = { raw, hijack: () => undefined, getHeaders: () => ({}) } as unknown as FastifyReply;
    void controller.follow(undefined, { keyId: 'laptop' } as Identity, reply);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  caller = connect((server.address() as AddressInfo).port, '127.0.0.1');
  caller.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await until('the console listens', () => listeners.size === 1);
});

afterEach(() => {
  caller.destroy();
  server.close();
  listeners.clear();
});

const settled = (length: number) => ({ event: 'settled', data: { id: 'x'.repeat(length) } }) as const;
const tell = (length: number) => listeners.forEach((listener) => listener(settled(length), 'row-1'));

it('a stream that its console does not read is cut off, and keeps little', async () => {
  let most = 0;
  await until('the stream is cut off', () => {
    for (let n = 0; n < 100; n++) tell(8 * 1024);
    most = Math.max(most, answer?.writableLength ?? 0);
    return answer?.destroyed === true;
  });
  expect(most).toBeLessThan(MIB);
  await until('nobody listens', () => listeners.size === 0);
});

it('a whole inbox, however large, does not cut the stream off that gets it', () => {
  const data = { items: [{ id: 'x'.repeat(4 * MIB) }] };
  for (const listener of listeners) listener({ event: 'inbox', data } as never, 'row-0');
  tell(8 * 1024);
  expect(answer?.destroyed).toBe(false);
});
