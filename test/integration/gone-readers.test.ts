import { connect } from 'node:net';
import { KeyTurns } from '../../src/access/key-turns';
import { Database } from '../../src/database/database';
import { preToolUse } from '../support/hook-client';
import { ownService } from '../support/own-service';
import { until } from '../support/until';
import { AGENT_KEY } from '../support/well-known';

// With two connections, an agent reads one request at a time.
const service = ownService({ DATABASE_POOL_SIZE: '2' });
afterEach(() => jest.restoreAllMocks());

const HEAD = ['Host: 127.0.0.1', `Authorization: Bearer ${AGENT_KEY}`].join('\r\n');

/** A call on a connection of its own. @returns a function that hangs up */
function call(path: string, payload?: object): () => void {
  const { hostname, port } = new URL(service.app.url);
  const body = payload === undefined ? '' : JSON.stringify(payload);
  const type = payload && `\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
  const socket = connect(Number(port), hostname, () =>
    socket.write(`${payload ? 'POST' : 'GET'} ${path} HTTP/1.1\r\n${HEAD}${type ?? ''}\r\n\r\n${body}`),
  );
  socket.on('error', () => undefined).resume();
  return () => socket.destroy();
}

/** Holds the next read of a request, and with it the turns of all reads of the agent behind it. */
async function holdReads(): Promise<{ readonly ids: unknown[]; readonly release: () => void }> {
  const { id: first } = (await service.api.enqueue()).body;
  const inner = service.app.get(Database);
  const query = inner.query.bind(inner);
  const ids: unknown[] = [];
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  jest.spyOn(inner, 'query').mockImplementation(async (...given) => {
    const [id] = [given[1][1]].flat();
    if (typeof id === 'string') ids.push(id);
    if (id === first) await released;
    return query(...given);
  });
  const hangUp = call(`/api/approvals/${first}`);
  await until('the first read is under way', () => ids.includes(first));
  return {
    ids,
    release: () => {
      hangUp();
      release();
    },
  };
}

describe('a read that waits for its turn while its caller hangs up', () => {
  it.each(['', '?wait=5', '/events'])('is dropped: GET /api/approvals/:id%s', async (more) => {
    const { id } = (await service.api.enqueue()).body;
    const { id: last } = (await service.api.enqueue()).body;
    const find = jest.spyOn(service.app.store, 'find');
    const goneOf = (wanted: string) => find.mock.calls.find(([each]) => each === wanted)?.[2];
    const reads = await holdReads();
    const hangUp = call(`/api/approvals/${id}${more}`);
    await until('it waits', () => goneOf(id));
    hangUp();
    await until('the service noticed', () => goneOf(id)?.aborted);
    const behind = service.api.get(last);
    await until('another read waits behind it', () => goneOf(last));
    reads.release();
    expect((await behind).status).toBe(200);
    expect(reads.ids).toContain(last);
    expect(reads.ids).not.toContain(id);
    expect(
      service.app.events.filter(({ event }) => event === 'http.failed' || event === 'stream.failed'),
    ).toEqual([]);
  });

  it('is carried out for a hook call, which ends as gone', async () => {
    const read = service.app.store.stateOf.bind(service.app.store);
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const reads = jest.spyOn(service.app.store, 'stateOf').mockImplementation(async (id) => {
      await released;
      return read(id);
    });
    const hangUp = call('/connectors/claude-code/hook', preToolUse());
    const [id] = await until('it reads', () => reads.mock.calls[0]);
    const aborts = jest.spyOn(AbortController.prototype, 'abort');
    hangUp();
    await until('the service noticed', () => aborts.mock.calls.length > 0);
    release();
    const answered = await until('the call ended', () =>
      service.app.events.find((line) => line.event === 'connector.answered' && line.approvalId === id),
    );
    expect(answered.answer).toBe('gone');
  });
});

describe('the text of a large request', () => {
  const TEXT = 'x'.repeat(100_000);
  const asked = async () => (await service.api.enqueue({ toolInput: { text: TEXT } })).body.id;

  /** Counts the times that the database sent it. */
  function countReads(): () => number {
    const inner = service.app.get(Database);
    const query = inner.query.bind(inner);
    let reads = 0;
    jest.spyOn(inner, 'query').mockImplementation(async (...given) => {
      const rows = await query(...given);
      reads += rows.filter(({ request }) => typeof request === 'string' && request.includes(TEXT)).length;
      return rows;
    });
    return () => reads;
  }

  it.each([
    ['cancel', () => Promise.resolve(), (id: string) => service.api.cancel(id), 200],
    ['repeated cancel', (id: string) => service.api.cancel(id), (id: string) => service.api.cancel(id), 200],
    [
      'refused cancel',
      (id: string) => service.api.decide(id, 'approved'),
      (id: string) => service.api.cancel(id),
      409,
    ],
    [
      'acknowledgement',
      (id: string) => service.api.cancel(id),
      (id: string) => service.api.acknowledge(id, 'gone'),
      200,
    ],
    [
      'refused acknowledgement',
      () => Promise.resolve(),
      (id: string) => service.api.acknowledge(id, 'gone'),
      409,
    ],
    ['decision', () => Promise.resolve(), (id: string) => service.api.decide(id, 'approved'), 200],
    [
      'refused decision',
      (id: string) => service.api.cancel(id),
      (id: string) => service.api.decide(id, 'approved'),
      409,
    ],
  ])('is read once for a %s', async (_what, prepare, act, status) => {
    const id = await asked();
    await prepare(id);
    const reads = countReads();
    expect((await act(id)).status).toBe(status);
    expect(reads()).toBe(1);
  });

  it.each([
    ['cancel', {}, { status: 'cancelled' }],
    ['ack', { outcome: 'resumed' }, { status: 'rejected', acknowledged: 'resumed' }],
  ])('is not read for a caller that hangs up, and its %s takes effect', async (route, body, state) => {
    const id = await asked();
    if (route === 'ack') await service.api.decide(id, 'rejected');
    const reads = await holdReads();
    const find = jest.spyOn(service.app.store, 'find');
    const hangUp = call(`/api/approvals/${id}/${route}`, body);
    const place = () => find.mock.calls.findIndex(([each]) => each === id);
    const [, , gone] = await until('its answer waits', () => find.mock.calls[place()]);
    const read = find.mock.results[place()]?.value as Promise<unknown>;
    hangUp();
    await until('the service noticed', () => gone?.aborted);
    reads.release();
    await expect(read).rejects.toThrow('hung up');
    expect((await service.api.call('operator', 'GET', `/api/approvals/${id}`)).body).toMatchObject(state);
  });
});

it('a list that waits for its turn while its caller hangs up is dropped', async () => {
  const list = jest.spyOn(service.app.store, 'list');
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  list.mockImplementationOnce(async () => {
    await released;
    return { snapshots: [], more: false };
  });
  const first = service.api.call('agent', 'GET', '/api/approvals');
  await until('the first list is under way', () => list.mock.calls.length === 1);
  const turns = jest.spyOn(KeyTurns.prototype, 'take');
  const hangUp = call('/api/approvals?agentId=gone');
  await until('the second one waits', () => turns.mock.calls.length > 0);
  const aborts = jest.spyOn(AbortController.prototype, 'abort');
  hangUp();
  await until('the service noticed', () => aborts.mock.calls.length > 0);
  const behind = service.api.call('agent', 'GET', '/api/approvals?agentId=behind');
  release();
  expect([(await first).status, (await behind).status]).toEqual([200, 200]);
  expect(list.mock.calls.map(([{ agentId }]) => agentId)).toEqual([null, 'behind']);
});

it('files that nobody reads are cut off, the one that is sent for longest first', async () => {
  const { hostname, port } = new URL(service.app.url);
  // Each asks for more than the buffers of the operating system hold for it, so that a file stays open.
  const asks = 'GET /api/docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(8);
  const sockets = Array.from({ length: 70 }, () => {
    const socket = connect(Number(port), hostname, () => socket.write(asks));
    return socket.on('error', () => undefined).pause();
  });
  try {
    await until('some are cut off', () => service.app.events.some(({ event }) => event === 'http.unread'));
    expect((await fetch(`${service.app.url}/api/docs/swagger-ui-bundle.js`)).status).toBe(200);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});
