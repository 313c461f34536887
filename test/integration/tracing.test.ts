import { execFileSync } from 'node:child_process';
import { Api } from '../support/api';
import { startTestApp, type TestApp } from '../support/app';
import { startOtlpReceiver, type OtlpReceiver } from '../support/otlp-receiver';
import { TelegramRig } from '../support/telegram-rig';
import { until } from '../support/until';

const CALLER = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
const OPERATOR = { traceId: 'aaaabbbbccccddddeeeeffff00001111', spanId: '00f067aa0ba902b7' };
const traceparent = ({ traceId, spanId }: typeof CALLER, sampled = true) =>
  `00-${traceId}-${spanId}-0${sampled ? 1 : 0}`;

/** Nobody listens there. */
const NO_COLLECTOR = 'http://127.0.0.1:9';
const CANARY = 'AKIA' + 'Z7Y6'.repeat(4);

let receiver: OtlpReceiver;
let rig: TelegramRig;
/** Beside the first, without Telegram: it takes requests and decisions, and the first sends the cards. */
let other: TestApp;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint };
  rig = await TelegramRig.start(tracing);
  other = await startTestApp(rig.database.url, { ...rig.environment, ...tracing });
});
afterAll(async () => {
  await other.close();
  await rig.close();
  await receiver.close();
});
beforeEach(() => rig.wipe());

const spansOf = (traceId: string) => receiver.spans().filter((span) => span.traceId === traceId);

const spansNamed = (traceId: string, ...names: readonly string[]) =>
  until(`the spans ${names.join(', ')}`, () => {
    const spans = spansOf(traceId);
    return names.every((name) => spans.some((span) => span.name === name)) && spans;
  });

it('one trace goes from the request over outbox, Telegram and tap to the outcome, on any replica', async () => {
  const headers = { traceparent: traceparent(CALLER) };
  const { body } = await new Api(other.url).enqueue({ toolInput: { command: CANARY } }, headers);
  const card = await rig.chat.card(body.id);
  await rig.worked(body);
  await rig.chat.press(card.messageId, 'Approve');
  await rig.closed(card);

  const spans = await spansNamed(
    CALLER.traceId,
    'approval.enqueue',
    'escalation.card',
    'telegram.sendMessage',
    'approval.pending',
    'telegram.tap',
    'telegram.answerCallbackQuery',
    'escalation.outcome',
    'telegram.editMessageText',
  );
  const named = (name: string) => spans.find((span) => span.name === name);
  const request = named('approval.enqueue');
  expect(request?.parentSpanId).toBe(CALLER.spanId);
  for (const name of ['escalation.card', 'approval.pending', 'telegram.tap', 'escalation.outcome'])
    expect(named(name)?.parentSpanId).toBe(request?.spanId);
  expect(named('telegram.sendMessage')?.parentSpanId).toBe(named('escalation.card')?.spanId);
  expect(named('telegram.answerCallbackQuery')?.parentSpanId).toBe(named('telegram.tap')?.spanId);
  expect(named('telegram.editMessageText')?.parentSpanId).toBe(named('escalation.outcome')?.spanId);

  const pending = named('approval.pending');
  expect(pending?.attributes).toContainEqual({ key: 'approval.status', value: { stringValue: 'approved' } });
  const { body: settled } = await rig.api.get(body.id);
  const nanoseconds = (time: unknown) => `${Date.parse(String(time))}000000`;
  expect(pending?.startTimeUnixNano).toBe(nanoseconds(settled.createdAt));
  expect(pending?.endTimeUnixNano).toBe(nanoseconds(settled.settledAt));
  expect([...receiver.paths]).toEqual(['/v1/traces']);
  expect(JSON.stringify(receiver.resources())).toContain('"stringValue":"countersign"');
  expect(receiver.bodies.join('')).not.toContain(CANARY);
});

it("a decision by API stays in the approval's trace, and links to that of the operator", async () => {
  const { body } = await rig.api.enqueue();
  const path = `/api/approvals/${body.id}/decision`;
  const headers = { traceparent: traceparent(OPERATOR) };
  await rig.api.call('operator', 'POST', path, { decision: 'rejected' }, headers);
  const pending = await until('the span of the decision', () =>
    receiver
      .spans()
      .find(
        ({ name, attributes }) =>
          name === 'approval.pending' && attributes.some(({ value }) => value.stringValue === body.id),
      ),
  );
  expect(pending.links).toMatchObject([OPERATOR]);
  const [begun] = spansOf(pending.traceId).filter(({ name }) => name === 'approval.enqueue');
  expect(begun?.parentSpanId ?? '').toBe('');
  expect(pending.parentSpanId).toBe(begun?.spanId);
});

it('a call that fails is an error in the trace, without a word of what was said', async () => {
  await rig.chat.fault({ method: 'sendMessage', count: 1, status: 502 });
  const headers = { traceparent: traceparent({ ...CALLER, traceId: '1'.repeat(32) }) };
  const { body } = await rig.api.enqueue({}, headers);
  await rig.chat.card(body.id);
  await until('both attempts', () => {
    const sends = spansOf('1'.repeat(32)).filter(({ name }) => name === 'telegram.sendMessage');
    return sends.some(({ status }) => status.code === 2) && sends.some(({ status }) => status.code !== 2);
  });
});

it('what its caller does not sample is not collected, and neither is what the service does of itself', async () => {
  const headers = { traceparent: traceparent({ ...CALLER, traceId: '2'.repeat(32) }, false) };
  const { body: quiet } = await rig.api.enqueue({}, headers);
  await rig.chat.card(quiet.id);
  const { body } = await rig.api.enqueue(
    {},
    { traceparent: traceparent({ ...CALLER, traceId: '3'.repeat(32) }) },
  );
  await rig.chat.card(body.id);
  await spansNamed('3'.repeat(32), 'approval.enqueue', 'escalation.card');
  expect(spansOf('2'.repeat(32))).toEqual([]);
  expect(receiver.spans().filter(({ name }) => name === 'telegram.getUpdates')).toEqual([]);
});

it('a collector that is away costs a log line, and no approval', async () => {
  await rig.restart({ OTEL_EXPORTER_OTLP_ENDPOINT: NO_COLLECTOR });
  const { approval, card } = await rig.shown();
  await rig.chat.press(card.messageId, 'Approve');
  expect(await rig.statusOf(approval)).toBe('approved');
  await until('it is told', () => rig.events('tracing.export-failed').length > 0, 30_000);
  expect(rig.events('tracing.export-failed')).toHaveLength(1);
});

it('the service without tracing does not even load the SDK', () => {
  const program = `
    require('reflect-metadata');
    require('./dist/src/app.module.js').AppModule;
    console.log(Object.keys(require.cache).filter((path) => /@opentelemetry.(?!api)/.test(path)).length)`;
  expect(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }).trim()).toBe('0');
});
