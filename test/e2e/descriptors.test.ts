import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { Api } from '../support/api';
import { cleanUp, Service } from '../support/processes';
import { Scrape } from '../support/scrape';
import { setBackdrop, strike, type Backdrop } from '../support/stage';
import { until } from '../support/until';

const OPEN_FILES = 2_000;
const CROWD = 1_500;
/** A tick of what comes and goes by itself: the pool, a poll of Telegram, a caller of the test. */
const FEW = 30;

let backdrop: Backdrop;
let service: Service;
let api: Api;
let crowd: HalfOpen[] = [];

beforeAll(async () => {
  backdrop = await setBackdrop();
  service = await Service.start(
    { ...backdrop.environment, APPROVAL_SWEEP_INTERVAL_SECONDS: '1' },
    OPEN_FILES,
  );
  api = new Api(service.url);
});
afterEach(() => {
  for (const { socket } of crowd) socket.destroy();
});
afterAll(async () => {
  await cleanUp();
  await strike();
});

const openFiles = () => readdirSync(`/proc/${service.pid}/fd`).length;

interface HalfOpen {
  readonly socket: Socket;
  answer: string;
  closed: boolean;
}

/** A client that sends this and then never closes its side, whatever the service does. */
function halfOpen(bytes: string): HalfOpen {
  const { hostname, port } = new URL(service.url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  const client: HalfOpen = { socket, answer: '', closed: false };
  socket.setEncoding('latin1').on('data', (piece: string) => (client.answer += piece));
  const close = () => (client.closed = true);
  socket.on('end', close).on('close', close).on('error', close);
  if (bytes !== '') socket.write(bytes);
  return client;
}

it.each([
  ['says nothing', '', '408'],
  ['sends half a header', 'GET /health/live HTTP/1.1\r\nHost: x\r\n', '408'],
  ['speaks no HTTP', 'HELLO\r\n\r\n', '400'],
  ['sends too much header', `GET / HTTP/1.1\r\nHost: x\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`, '431'],
  ['takes its answer', 'GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', '200'],
])(
  'a crowd that %s and never closes its side is answered, and its descriptors are given back',
  async (_what, bytes, status) => {
    const before = openFiles();
    crowd = Array.from({ length: CROWD }, () => halfOpen(bytes));
    await until('all are answered', () => crowd.every(({ closed }) => closed), 60_000);
    await until('the descriptors are given back', () => openFiles() <= before + FEW, 60_000);
    expect(crowd.filter(({ answer }) => answer.startsWith(`HTTP/1.1 ${status}`))).toHaveLength(CROWD);
    expect((await api.enqueue()).status).toBe(201);
  },
);

it('a crowd that connects while the service is busy waits for it, and is answered', async () => {
  service.signal('SIGSTOP');
  crowd = Array.from({ length: CROWD }, () => halfOpen(''));
  await until('all are connected', () => crowd.every(({ socket }) => !socket.connecting));
  service.signal('SIGCONT');
  await until('all are answered', () => crowd.every(({ closed }) => closed));
  expect(crowd.filter(({ answer }) => answer.startsWith('HTTP/1.1 408'))).toHaveLength(CROWD);
});

it('more connections than descriptors are closed at once, and the service works on', async () => {
  const { id } = (await api.enqueue({ timeoutSeconds: 1 })).body;
  crowd = Array.from({ length: OPEN_FILES + 500 }, () => halfOpen('GET / HTTP/1.1\r\nHost: x\r\n'));
  await until('some are refused', () => service.eventsNamed('http.connections-refused').length > 0, 60_000);
  await until(
    'the sweeper ends what is due',
    async () => {
      const [row] = await backdrop.database.query<{ status: string }>(
        `select status from approvals where id = $1`,
        [id],
      );
      return row?.status === 'expired';
    },
    60_000,
  );
  await until('all are closed', () => crowd.every(({ closed }) => closed), 60_000);
  for (const { socket } of crowd) socket.destroy();
  expect((await api.enqueue()).status).toBe(201);
  expect((await Scrape.of(service.url)).value('http_connections_refused_total')).toBeGreaterThan(0);
  expect(service.output.filter((line) => line.includes('EMFILE'))).toEqual([]);
});
