import { execFileSync } from 'node:child_process';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { serviceLog } from '../../src/cli/audit/log-source';
import { MAX_ANSWER_BYTES } from '../../src/agent-side/client/service-call';
import { approvalSchema, type Approval } from '../../src/agent-side/client/approval-wire';
import { ServiceRefused, ServiceUnreachable } from '../../src/agent-side/client/service-errors';
import { denialOf } from '../../src/agent-side/run/denials';
import { endingOf } from '../../src/cli/approvals/approval-text';
import { CountersignClient } from '../../src/agent-side/client';
import { SystemClock } from '../../src/kernel/clock';
import { Api } from '../support/api';
import { startTestApp, type TestApp } from '../support/app';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { issueKey, keyIs } from '../support/keys';
import { CHECKOUT } from '../support/processes';
import { Scrape } from '../support/scrape';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';
import { AGENT_KEY } from '../support/well-known';

let database: TestDatabase;
let app: TestApp;
let api: Api;
let wire: TcpProxy;

beforeAll(async () => {
  database = await createTestDatabase();
  app = await startTestApp(database.url);
  api = new Api(app.url);
  wire = await startTcpProxy(app.url);
});
afterAll(async () => {
  await wire.close();
  await app.close();
  await database.drop();
});

const clientAt = (url: string): CountersignClient => new CountersignClient({ url, key: AGENT_KEY });
const ask = (sessionId: string) => ({
  agentId: 'client',
  sessionId,
  toolName: 'Bash',
  toolInput: { command: 'x' },
});

/** A server that gives every request this answer. */
async function answering(
  answer: Parameters<typeof createServer>[1],
): Promise<{ url: string; server: Server }> {
  const server = createServer(answer as never);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const close = (server: Server): Promise<unknown> => {
  server.closeAllConnections();
  return new Promise((done) => server.close(done));
};

it('is what others import as countersign/client, and brings no framework along', () => {
  const program = `
    const { CountersignClient, ServiceRefused } = require('countersign/client');
    console.log(typeof CountersignClient, typeof ServiceRefused, Object.keys(require.cache).some((path) => path.includes('@nestjs')));`;
  const said = execFileSync(process.execPath, ['-e', program], { cwd: CHECKOUT, encoding: 'utf8' });
  expect(said.trim()).toBe('function function false');
});

it('asks once although the answer to the first try was lost', async () => {
  let tries = 0;
  const { server, url } = await answering((incoming, outgoing) => {
    const lost = ++tries === 1;
    const { method, headers } = incoming;
    const onward = httpRequest(`${app.url}${incoming.url ?? ''}`, { method, headers }, (answer) => {
      if (lost) return void outgoing.destroy();
      outgoing.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  const approval = await clientAt(url).enqueue(ask('lost-reply'));
  await close(server);
  expect(tries).toBe(2);
  const { body } = await api.call<{ items: Approval[] }>(
    'agent',
    'GET',
    '/api/approvals?sessionId=lost-reply',
  );
  expect(body.items.map(({ id }) => id)).toEqual([approval.id]);
});

it('hears of a decision that was taken while the network was cut', async () => {
  const client = clientAt(wire.url.replace(/\/$/, ''));
  const approval = await client.enqueue(ask('cut'));
  const settled = client.settled(approval);
  await until('the call waits', async () => {
    const metrics = new Scrape(await (await fetch(`${app.url}/metrics`)).text());
    return metrics.value('escalation_waiters') > 0;
  });
  wire.cut();
  await api.decide(approval.id, 'approved');
  wire.mend();
  expect((await settled).status).toBe('approved');
});

it('ends a wait at once when its signal is aborted', async () => {
  const client = clientAt(app.url);
  const stop = new AbortController();
  const settled = client.settled(await client.enqueue(ask('abort')), { signal: stop.signal });
  stop.abort(new Error('no longer wanted'));
  await expect(settled).rejects.toThrow('no longer wanted');
});

it('gives up a wait that cannot be heard when the request has surely expired', async () => {
  class LeapingClock extends SystemClock {
    private leaps = 0;
    override monotonicMs(): number {
      return super.monotonicMs() + 600_000 * this.leaps++;
    }
  }
  const approval = await clientAt(app.url).enqueue(ask('deaf'));
  const deaf = new CountersignClient({ url: 'http://127.0.0.1:1', key: AGENT_KEY }, new LeapingClock());
  await expect(deaf.settled(approval)).rejects.toThrow(ServiceUnreachable);
});

it.each([
  ['a page', 200, '<html>Sign in</html>'],
  ['nothing', 200, ''],
  ['half an answer', 200, '{"id":"0190a0b0-0000-7000-8000-000000000000","status":"approv'],
  ['another JSON', 200, '{"status":"approved"}'],
  ['a 500', 500, '{"status":"approved"}'],
  ['a 503 page', 503, '<html>'],
])('takes %s for no answer', async (_what, status, text) => {
  const { server, url } = await answering((_incoming, outgoing) => void outgoing.writeHead(status).end(text));
  await expect(clientAt(url).get('0190a0b0-0000-7000-8000-000000000000')).rejects.toThrow(ServiceUnreachable);
  await close(server);
});

describe('a service whose answer does not end', () => {
  const ID = '0190a0b0-0000-7000-8000-000000000000';
  const flood = Buffer.alloc(1024 * 1024, ' ');

  /** Writes for as long as the client reads, and resolves when the client has gone. */
  async function flooding(status: number, encoding: string | null = null) {
    let done: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => (done = resolve));
    const { server, url } = await answering((_incoming, outgoing) => {
      outgoing.writeHead(status, encoding === null ? {} : { 'content-encoding': encoding });
      const source = Readable.from(
        (function* () {
          for (;;) yield flood;
        })(),
      );
      pipeline([source, ...(encoding === null ? [] : [createGzip()]), outgoing], () => done());
    });
    return { server, url, gone };
  }

  it.each([
    ['an answer', 200, null],
    ['a compressed answer', 200, 'gzip'],
    ['a refusal', 409, null],
    ['a fault', 503, null],
  ])('%s: reads no further than its bound, does not retry, and denies', async (_what, status, encoding) => {
    const { server, url, gone } = await flooding(status, encoding);
    const refused = await clientAt(url)
      .enqueue(ask('flood'))
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ServiceRefused);
    expect((refused as Error).message).toBe(
      `what answers at ${url} is not Countersign: the answer has more than ${MAX_ANSWER_BYTES} bytes`,
    );
    await gone;
    await close(server);
  });

  it('for a wait too', async () => {
    const approval = await clientAt(app.url).enqueue(ask('flood'));
    const { server, url } = await flooding(200);
    await expect(clientAt(url).settled(approval)).rejects.toThrow('is not Countersign');
    await close(server);
  });

  it('in pages: reads no more than there can be, and none after the time is up', async () => {
    const asked = await clientAt(app.url).enqueue(ask('pages'));
    let served = 0;
    const { server, url } = await answering((_incoming, outgoing) => {
      served++;
      outgoing.end(JSON.stringify({ items: [asked], nextCursor: ID }));
    });
    class Leaping extends SystemClock {
      override monotonicMs(): number {
        return super.monotonicMs() + 60_000 * served;
      }
    }
    const items: Approval[] = [];
    const read = async () => {
      for await (const item of new CountersignClient({ url, key: AGENT_KEY }, new Leaping()).all({}))
        items.push(item);
    };
    await expect(read()).rejects.toThrow(/^the list of .* does not end: \d+ pages were read$/);
    expect(items).toHaveLength(served);
    expect(served).toBeLessThan(12);
    await close(server);
  });

  it('in pages of the audit log: stops when one comes again', async () => {
    const { server, url } = await answering(({ url: path = '' }, outgoing) => {
      const body = path.includes('sealed')
        ? { items: [], nextAfter: 7, unsealed: 0 }
        : path.includes('checkpoints')
          ? { checkpoints: [] }
          : { keys: [] };
      outgoing.end(JSON.stringify(body));
    });
    const log = await serviceLog({ url, key: AGENT_KEY });
    const read = async () => {
      for await (const rows of log.batches()) expect(rows).toEqual([]);
    };
    await expect(read()).rejects.toThrow(`the audit log at ${url} does not end: 2 pages were read`);
    await close(server);
  });
});

describe('values that a later service adds', () => {
  const later = async (more: object): Promise<Approval> => {
    const asked = await clientAt(app.url).enqueue(ask('later'));
    const { server, url } = await answering((_, outgoing) => {
      outgoing.end(JSON.stringify({ ...asked, settledAt: asked.createdAt, ...more }));
    });
    const settled = await clientAt(url).settled(asked);
    await close(server);
    return settled;
  };

  it('are an answer like any other', async () => {
    const decision = { by: { kind: 'oracle', id: 'delphi', name: 'Pythia' }, reason: null };
    const approval = await later({ status: 'approved', acknowledged: 'archived', decision });
    expect(approval).toMatchObject({ status: 'approved', acknowledged: 'archived', decision });
    expect(endingOf(approval)).toBe('approved by Pythia (oracle delphi)');
  });

  it('deny where they are the status, and name what must be upgraded', async () => {
    const approval = await later({ status: 'escalated' });
    expect(denialOf(approval)).toContain('“escalated”, which this version does not know');
    expect(denialOf(approval)).toContain('upgrade countersign on the machine of the agent');
    expect(endingOf(approval)).toBe('escalated');
  });
});

it('repeats a wait that is not held with backoff, and gives up when the request has surely expired', async () => {
  const asked = await clientAt(app.url).enqueue(ask('not-held'));
  let waits = 0;
  const { server, url } = await answering((_, outgoing) => {
    waits += 1;
    outgoing.end(JSON.stringify(asked));
  });
  let nowMs = 0;
  const clock = new (class extends SystemClock {
    override monotonicMs = () => (nowMs += 900);
  })();
  const client = new CountersignClient({ url, key: AGENT_KEY }, clock);
  const brief = { ...asked, expiresAt: asked.createdAt };
  await expect(client.settled(brief)).rejects.toThrow('ends every wait at once');
  expect(waits).toBeLessThan(10);
  await close(server);
});

it('follows no redirect: the key goes to one address only', async () => {
  let visits = 0;
  const elsewhere = await answering((_incoming, outgoing) => {
    visits++;
    outgoing.end('{}');
  });
  const { server, url } = await answering((_incoming, outgoing) => {
    outgoing.writeHead(307, { location: elsewhere.url }).end();
  });
  await expect(clientAt(url).get('x')).rejects.toThrow(ServiceUnreachable);
  expect(visits).toBe(0);
  await Promise.all([close(server), close(elsewhere.server)]);
});

it.each(['get', 'decide', 'cancel', 'acknowledge'] as const)(
  'refuses an answer to %s that is about another request',
  async (method) => {
    const [asked, other] = await Promise.all([
      clientAt(app.url).enqueue(ask('mine')),
      clientAt(app.url).enqueue(ask('other')),
    ]);
    const { server, url } = await answering((_incoming, outgoing) => outgoing.end(JSON.stringify(other)));
    const client = clientAt(url);
    const calls = {
      get: () => client.get(asked.id),
      decide: () => client.decide(asked.id, 'approved'),
      cancel: () => client.cancel(asked.id),
      acknowledge: () => client.acknowledge(asked.id, 'ran'),
    };
    await expect(calls[method]()).rejects.toThrow(`the answer is about another request: ${other.id}`);
    await close(server);
  },
);

it('passes on what the service refuses, with the true state', async () => {
  const client = clientAt(app.url);
  const { id } = await client.enqueue(ask('refused'));
  await api.decide(id, 'rejected');
  const refusal = await client.cancel(id).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(ServiceRefused);
  expect(refusal).toMatchObject({ code: 'approval.already-settled', approval: { id, status: 'rejected' } });
});

it('takes no approval whose input was erased since, although its receipt is genuine', async () => {
  const admin = await issueKey(database, 'admin', 'eraser', 'maria');
  await keyIs(true, app.url, admin);
  const client = clientAt(app.url);
  const { sessionId, agentId, ...action } = ask('erased');
  const { id } = await client.enqueue({ ...action, agentId, sessionId });
  await api.decide(id, 'approved');
  const use = { agentId, sessionId, action };
  await client.verify(await client.get(id), use);
  const headers = { authorization: `Bearer ${admin}` };
  await api.call(null, 'DELETE', `/api/approvals/${id}/input`, { reason: 'a password' }, headers);
  await expect(client.verify(await client.get(id), use)).rejects.toThrow('input of the request was erased');
});

it('asks again after a 503 when it says so', async () => {
  let tries = 0;
  const body = JSON.stringify(approvalSchema.parse((await api.enqueue(ask('busy'))).body));
  const { server, url } = await answering((_incoming, outgoing) => {
    if (++tries === 1) outgoing.writeHead(503, { 'retry-after': '1' }).end('{}');
    else outgoing.end(body);
  });
  await clientAt(url).enqueue(ask('busy'));
  expect(tries).toBe(2);
  await close(server);
});
