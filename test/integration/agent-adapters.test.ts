import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Starting } from '../../src/starting';
import type { ApprovalJson } from '../support/api';
import { AGENT_KEY } from '../support/app';
import { openTestApp } from '../support/open-app';
import { ownService } from '../support/own-service';
import { Scrape } from '../support/scrape';
import { until } from '../support/until';

// The one line of adapters.ts that plugs in an adapter.
jest.mock('../../src/agents/adapters', () => {
  const { ADAPTERS } =
    jest.requireActual<typeof import('../../src/agents/adapters')>('../../src/agents/adapters');
  const { TINY } = jest.requireActual<typeof import('../support/tiny-agent')>('../support/tiny-agent');
  return { ADAPTERS: [...ADAPTERS, TINY] };
});

const service = ownService();

async function post(url: string, body: string, key: string | null = AGENT_KEY) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key !== null && { authorization: `Bearer ${key}` }) },
    body,
  });
  return { status: response.status, body: (await response.json()) as { go?: boolean; why?: string } };
}

const gate = (body: object, key?: string | null) =>
  post(`${service.app.url}/connectors/tiny/gate`, JSON.stringify(body), key);

it('asks the operators for a tool use, and answers in the form of the agent', async () => {
  for (const verdict of ['approved', 'rejected'] as const) {
    const answer = gate({ run: 'make', args: { target: verdict } });
    const request = await until('the request', async () => {
      const path = '/api/approvals?status=pending';
      const { body } = await service.api.call<{ items: readonly ApprovalJson[] }>('operator', 'GET', path);
      return body.items[0] ?? null;
    });
    expect(request).toMatchObject({ toolName: 'make', toolInput: { target: verdict } });
    await service.api.decide(request.id, verdict);
    expect(await answer).toMatchObject({ status: 200, body: { go: verdict === 'approved' } });
  }
});

it('leaves a tool that only reads to the agent, as its adapter says', async () => {
  expect(await gate({ run: 'look', args: {} })).toEqual({ status: 200, body: {} });
});

it.each([
  ['without a key', 'gate', '{"run":"make","args":{}}', null],
  ['with a body that is not JSON', 'gate', '{"run":', AGENT_KEY],
  ['with a body of another form', 'gate', '{"tool":"make"}', AGENT_KEY],
  ['at a mistyped address', 'gates', '{"run":"make","args":{}}', AGENT_KEY],
])('denies a call %s in the form of the agent', async (_, place, body, key) => {
  const answer = await post(`${service.app.url}/connectors/tiny/${place}`, body, key);
  expect(answer).toMatchObject({ status: 200, body: { go: false } });
  expect(answer.body.why).toContain('Nobody approved it.');
});

it('denies a call in the form of the agent while the service starts', async () => {
  const server = createServer(new Starting().answer);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    const { port } = server.address() as AddressInfo;
    const answer = await post(`http://127.0.0.1:${port}/connectors/tiny/gate`, '{"run":"make","args":{}}');
    expect(answer).toMatchObject({ status: 200, body: { go: false } });
  } finally {
    await new Promise((closed) => server.close(closed));
  }
});

it('has the labels of the agent in every metric of connectors, and its route among those that are held', async () => {
  const fresh = await openTestApp(service.database.url);
  try {
    const scrape = await Scrape.of(fresh.url);
    expect(scrape.value('connector_waiting', { connector: 'tiny' })).toBe(0);
    expect(scrape.value('connector_answers_total', { connector: 'tiny', answer: 'approved' })).toBe(0);
    const route = { method: 'POST', route: '/connectors/tiny/gate', held: 'true' };
    expect(scrape.value('http_request_duration_seconds_count', route)).toBe(0);
  } finally {
    await fresh.close();
  }
});
