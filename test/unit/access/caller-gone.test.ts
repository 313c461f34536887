import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyReply } from 'fastify';
import { Standing } from '../../../src/access/standing';
import { callerGone } from '../../../src/access/caller-gone';
import { until } from '../../support/until';

let server: Server;
const responses: ServerResponse[] = [];

beforeAll(async () => {
  server = createServer((_request, response) => void responses.push(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => responses.splice(0));
afterAll(() => new Promise((resolve) => server.close(resolve)));

const holderOf = (standing: Standing) =>
  ({ keyId: 'k', owner: null, role: 'agent', channel: 'api', standing }) as const;
const replyTo = (response: ServerResponse) => ({ raw: response }) as unknown as FastifyReply;

async function call(): Promise<{ response: ServerResponse; hangUp: () => void }> {
  const controller = new AbortController();
  const { port } = server.address() as AddressInfo;
  fetch(`http://127.0.0.1:${port}/`, { signal: controller.signal }).catch(() => undefined);
  const response = await until('the request arrived', () => responses[0]);
  return { response, hangUp: () => controller.abort() };
}

it('the signal fires when the caller hangs up', async () => {
  const { response, hangUp } = await call();
  const gone = callerGone(replyTo(response), holderOf(new Standing()));
  expect(gone.aborted).toBe(false);
  hangUp();
  await until('the signal fired', () => gone.aborted);
  expect(gone.reason).toMatchObject({ message: 'The caller hung up.' });
});

it('the signal has fired already for a caller that hung up before anybody asked', async () => {
  const { response, hangUp } = await call();
  hangUp();
  await until('the connection closed', () => response.destroyed);
  expect(callerGone(replyTo(response), holderOf(new Standing())).aborted).toBe(true);
});

it('the signal fires when the key of the caller is revoked, and at once for one that was', async () => {
  const { response, hangUp } = await call();
  const standing = new Standing();
  const gone = callerGone(replyTo(response), holderOf(standing));
  await standing.confirm();
  expect(gone.aborted).toBe(false);
  expect(standing.end()).toBe(1);
  expect(gone.aborted).toBe(true);
  expect(gone.reason).toMatchObject({ code: 'access.unauthenticated' });
  expect(callerGone(replyTo(response), holderOf(standing)).aborted).toBe(true);
  await expect(standing.confirm()).rejects.toMatchObject({ code: 'access.unauthenticated' });
  hangUp();
});

it('a call that is over is forgotten by the key', async () => {
  const { response, hangUp } = await call();
  const standing = new Standing();
  callerGone(replyTo(response), holderOf(standing));
  response.end();
  await until('the answer is out', () => response.closed);
  expect(standing.end()).toBe(0);
  hangUp();
});
