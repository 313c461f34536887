import { join } from 'node:path';
import type { Call } from '../support/generator';
import { CHECKOUT } from '../support/processes';
import { ENQUEUE, KEYS, LoadRig } from '../support/load-rig';
import { until } from '../support/until';

const REQUESTS = 50_000;
const SAMPLES = 10;
/** Before that caches fill and code is compiled. */
const WARM_UP = 10_000;
/** A request that left 40 bytes would be found; the fit of a heap that keeps nothing wavers by less. */
const MAX_BYTES_A_REQUEST = 40;

let rig: LoadRig;

beforeAll(async () => {
  rig = await LoadRig.set();
});
afterAll(() => rig.strike());

/** Bytes for each request more, by least squares. */
function slopeOf(points: readonly (readonly [requests: number, bytes: number])[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(points.map(([requests]) => requests));
  const y = mean(points.map(([, bytes]) => bytes));
  const covariance = mean(points.map(([requests, bytes]) => (requests - x) * (bytes - y)));
  return covariance / mean(points.map(([requests]) => (requests - x) ** 2));
}

it(`memory stays flat over ${REQUESTS} requests of every kind`, async () => {
  const probe = join(CHECKOUT, 'test/bench/load/memory-on-signal.cjs');
  const { service, target } = await rig.service({ NODE_OPTIONS: `--require="${probe}"` });
  const used = async (): Promise<number> => {
    const before = service.eventsNamed('probe.memory').length;
    service.signal('SIGUSR2');
    const event = await until('memory was told', () => service.eventsNamed('probe.memory')[before], 30_000);
    return Number(event.used);
  };
  // Each turn: asked, read, decided, waited for, listed; a bad body, an unknown id.
  const turn = async (count: number) => {
    const each = count / 10;
    await rig.callers.run('enqueue', { ...ENQUEUE, target, connections: 32, count: 4 * each });
    const ids = await rig.pending(each);
    const calls = ids.flatMap((id): Call[] => [
      { method: 'GET', path: `/api/approvals/${id}`, key: KEYS.agent },
      {
        method: 'POST',
        path: `/api/approvals/${id}/decision`,
        key: KEYS.operator,
        body: { decision: 'approved' },
      },
      { method: 'GET', path: `/api/approvals/${id}?wait=5`, key: KEYS.agent },
      { method: 'POST', ...ENQUEUE, body: { agentId: '' } },
      { method: 'GET', path: '/api/approvals?limit=1', key: KEYS.agent },
      { method: 'GET', path: '/api/approvals/00000000-0000-7000-8000-000000000000', key: KEYS.agent },
    ]);
    const answers = await rig.callers.run('calls', { target, calls, connections: 32 });
    expect(answers).toEqual({ 200: 4 * each, 400: each, 404: each });
    await rig.database.query('truncate approvals, audit_log, outbox');
  };
  await turn(WARM_UP);
  const points: [number, number][] = [];
  for (let sample = 0; sample <= SAMPLES; sample++) {
    points.push([(sample * REQUESTS) / SAMPLES, await used()]);
    if (sample < SAMPLES) await turn(REQUESTS / SAMPLES);
  }
  const slope = slopeOf(points);
  console.log(
    `heap: ${points.map(([, bytes]) => (bytes / 1e6).toFixed(1)).join(' ')} MB, ${slope.toFixed(1)} bytes a request`,
  );
  expect(slope).toBeLessThan(MAX_BYTES_A_REQUEST);
});
