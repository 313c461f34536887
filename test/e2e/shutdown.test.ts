import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { Api } from '../support/api';
import { callHook, preToolUse, verdictOf } from '../support/hook-client';
import { cleanUp, postmasterOf, processesOf, Service, temporaryDirectory } from '../support/processes';
import { setBackdrop, strike, type Backdrop } from '../support/stage';
import { startTcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';
import { AGENT_KEY } from '../support/well-known';

/** Less than the 50 s that a call would wait, more than any machine needs to stop. */
const HANG_MS = 45_000;

let backdrop: Backdrop;

beforeAll(async () => {
  backdrop = await setBackdrop();
});
afterEach(cleanUpServices);
afterAll(strike);

const services: Service[] = [];
async function cleanUpServices(): Promise<void> {
  for (const service of services.splice(0)) {
    service.killGroup();
    await service.ended;
  }
}

async function started(more: Record<string, string> = {}): Promise<{ service: Service; api: Api }> {
  const service = await Service.start({ ...backdrop.environment, ...more });
  services.push(service);
  return { service, api: new Api(service.url) };
}

/** The text of an event stream, to its end; null when it was cut off. */
async function streamOf(url: string, id: string, onFirst: () => void): Promise<string | null> {
  const response = await fetch(`${url}/api/approvals/${id}/events`, {
    headers: { authorization: `Bearer ${AGENT_KEY}` },
  });
  if (!response.body) throw new Error('no stream');
  let text = '';
  try {
    for await (const chunk of response.body) {
      text += Buffer.from(chunk as Uint8Array).toString('utf8');
      onFirst();
    }
  } catch {
    return null;
  }
  return text;
}

describe('SIGTERM', () => {
  it('answers parked waiters as it stands, ends event streams, and exits 0', async () => {
    const { service, api } = await started();
    const { body: approval } = await api.enqueue();
    const parked = Array.from({ length: 20 }, () => api.get(approval.id, 55));
    let streaming: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (streaming = resolve));
    const stream = streamOf(service.url, approval.id, streaming);
    await begun;
    // A decision here would show whether they are parked; the waiters' own answers do as well, later.
    await api.get(approval.id);

    const ending = await service.stop();
    expect(ending).toEqual({ code: 0, signal: null });
    // Answered, and not cut off: that is what becomes of a connection on which the stop had to wait.
    for (const answer of await Promise.all(parked))
      expect(answer).toMatchObject({ status: 200, body: { status: 'pending' } });
    const text = await stream;
    expect(text?.match(/^event: approval$/gm)).toHaveLength(1);
    expect(service.errors).toEqual([]);
    expect(service.events.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  });

  it('never leaves a new arrival hanging: it gets an answer or no connection', async () => {
    const { service, api } = await started();
    const { body: approval } = await api.enqueue();
    const outcomes: string[] = [];
    let stopped = false;
    const arrivals = Array.from({ length: 4 }, async () => {
      while (!stopped) {
        outcomes.push(
          await fetch(`${service.url}/api/approvals/${approval.id}?wait=50`, {
            headers: { authorization: `Bearer ${AGENT_KEY}` },
            signal: AbortSignal.timeout(HANG_MS),
          }).then(
            async (response) => `${response.status} ${typeof (await response.json())}`,
            (error: unknown) => (error instanceof DOMException ? `hung: ${error.name}` : 'no connection'),
          ),
        );
      }
    });
    service.signal('SIGTERM');
    expect(await service.ended).toEqual({ code: 0, signal: null });
    stopped = true;
    await Promise.all(arrivals);
    expect(outcomes.length).toBeGreaterThan(0);
    for (const outcome of outcomes) expect(['200 object', '503 object', 'no connection']).toContain(outcome);
  });

  it('denies the hook’s calls while the database does not answer, cuts none of them off, and ends', async () => {
    const wire = await startTcpProxy(backdrop.database.url);
    const { service } = await started({ DATABASE_URL: wire.url });
    try {
      const waiting = await callHook(service.url, preToolUse());
      await until('it waits', () => service.eventsNamed('connector.asked').length === 1);
      wire.silence();
      const asking = await callHook(service.url, preToolUse());
      service.signal('SIGTERM');
      const answers = await Promise.all([waiting.answer, asking.answer]);
      expect(answers.map((answer) => verdictOf(answer).allow)).toEqual([false, false]);
      expect(await service.ended).toEqual({ code: 1, signal: null });
      expect(service.eventsNamed('service.stop-late')).toHaveLength(1);
    } finally {
      await wire.close();
    }
  });

  it('is told by readiness first: during the notice everything is served as ever', async () => {
    const { service, api } = await started({ SHUTDOWN_NOTICE_SECONDS: '2' });
    const { body: approval } = await api.enqueue();
    const parked = api.get(approval.id, 55);
    service.signal('SIGTERM');
    await until('it is not ready', async () => (await fetch(`${service.url}/health/ready`)).status === 503);
    expect((await fetch(`${service.url}/health/live`)).status).toBe(200);
    expect((await api.enqueue()).status).toBe(201);
    expect((await api.decide(approval.id, 'approved')).status).toBe(200);
    expect((await parked).body.status).toBe('approved');
    expect(await service.ended).toEqual({ code: 0, signal: null });
  });

  it('is not held up by clients that keep their connection, whatever they were doing on it', async () => {
    const { service, api } = await started();
    const { body: approval } = await api.enqueue();
    const agent = new Agent({ keepAlive: true });
    const ask = (): Promise<boolean> =>
      new Promise((answered) => {
        const request = get(`${service.url}/api/approvals/${approval.id}?wait=50`, {
          agent,
          headers: { authorization: `Bearer ${AGENT_KEY}` },
        });
        request.on('response', (response) =>
          response.resume().on('end', () => answered(response.statusCode === 200)),
        );
        request.on('error', () => answered(false));
      });
    // Each asks again as long as it is answered, and then goes quiet without hanging up.
    const clients = Array.from({ length: 50 }, async () => {
      while (await ask());
    });
    await api.get(approval.id);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    await Promise.all(clients);
    agent.destroy();
  });

  it('is not held up by a Telegram that does not answer', async () => {
    const { service, api } = await started();
    await until('it polls', async () => (await backdrop.chat.calls('getUpdates')).length > 0);
    await backdrop.chat.fault({ method: 'sendMessage', count: 100, delayMs: 60_000 });
    const { body: approval } = await api.enqueue();
    await until('the card is being sent', async () =>
      (await backdrop.chat.calls('sendMessage')).some(({ status }) => status === null),
    );
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    await backdrop.chat.clearFaults();
    const next = await started();
    await backdrop.chat.card(approval.id);
    await next.service.stop();
  });

  it('a second time changes nothing', async () => {
    const { service, api } = await started();
    const { body: approval } = await api.enqueue();
    const parked = api.get(approval.id, 55);
    await backdrop.chat.card(approval.id);
    service.signal('SIGTERM');
    service.signal('SIGTERM');
    service.signal('SIGINT');
    expect(await service.ended).toEqual({ code: 0, signal: null });
    expect(await parked).toMatchObject({ status: 200, body: { status: 'pending' } });
  });

  it('gives the poller’s lease back: the next start handles a tap at once', async () => {
    const { service, api } = await started();
    const { body: approval } = await api.enqueue();
    const card = await backdrop.chat.card(approval.id);
    await until('it polls', () => service.eventsNamed('telegram.connected').length > 0);
    await service.stop();
    const held = await backdrop.database.query('select name, holder from leases where expires_at > now()');
    expect(held).toEqual([]);
    const next = await started();
    await backdrop.chat.press(card.messageId, 'Reject');
    expect((await next.api.get(approval.id)).body.status).toBe('rejected');
  });

  it('stops the embedded database too, also when it comes in the middle of the start', async () => {
    const dataDir = join(temporaryDirectory(), 'data');
    // An empty variable counts as unset.
    const environment = { ...backdrop.environment, DATABASE_URL: '', DATA_DIR: dataDir };
    const service = await Service.start(environment);
    services.push(service);
    expect(postmasterOf(dataDir)).not.toBeNull();
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect(processesOf(dataDir)).toEqual([]);

    const again = Service.launch(environment);
    services.push(again);
    await until('the database runs', () => postmasterOf(dataDir) !== null);
    again.signal('SIGTERM');
    expect(await again.ended).toEqual({ code: 0, signal: null });
    expect(processesOf(dataDir)).toEqual([]);
  });
});

afterAll(cleanUp);
