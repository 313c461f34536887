import { Api } from '../support/api';
import { ask, HASTE } from '../support/chaos';
import { Service } from '../support/processes';
import { setBackdrop, strike } from '../support/stage';
import { until } from '../support/until';

/** A chat's own limit, and Telegram's, unscaled. */
const PER_SECOND = 1;
const BURST = 3;
const MESSAGES = 15;
/** performance.md 14. A window of three seconds opens with the ends of its calls: 0.97 to 0.98 is usual. */
const MIN_GOODPUT = 0.95;

afterAll(strike);

it('three replicas of one token use up the limit of a chat and no more, and are never told to wait', async () => {
  const { chat, environment } = await setBackdrop();
  await chat.change('limits', { perSecond: 30, chatPerSecond: PER_SECOND, chatBurst: BURST });
  const replicas = await Promise.all(
    Array.from({ length: 3 }, () =>
      Service.start({
        ...environment,
        ...HASTE,
        TELEGRAM_BUDGET_PER_SECOND: '30',
        TELEGRAM_BUDGET_CHAT_PER_SECOND: String(PER_SECOND),
      }),
    ),
  );
  await Promise.all(replicas.map(({ url }) => ask(new Api(url), MESSAGES / replicas.length)));
  await until('everything is sent', async () => (await chat.messages()).length >= MESSAGES, 60_000);
  const calls = await chat.calls('sendMessage');
  expect(calls.map(({ status }) => status)).toEqual(calls.map(() => 200));
  const [first = NaN] = calls.map(({ atMs }) => atMs);
  const last = calls.at(-1)?.atMs ?? NaN;
  // The first burst takes no time; what follows it does.
  const goodput = (calls.length - BURST) / ((last - first) / 1_000) / PER_SECOND;
  console.log(`goodput ÷ limit, three replicas: ${goodput.toFixed(3)} (${calls.length} messages)`);
  expect(goodput).toBeGreaterThanOrEqual(MIN_GOODPUT);
  expect(goodput).toBeLessThanOrEqual(1);
});
