import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../harness/population.mjs';

const REPLICAS = 3;
/** Telegram's own figures: one a second in a chat, three at once. */
const PER_SECOND = 1;
const BURST = 3;
/** Whole bursts: three leave at once and then none for three seconds, so that a window of five holds one or two of them. */
const MESSAGES_A_ROUND = 2 * BURST;

const LEASE_SECONDS = 8;
const LOOK_EVERY_MS = 20;
const NO_LIMITS = { perSecond: 1e6, chatPerSecond: 1e6, chatBurst: 1e6, groupPerMinute: 1e6 };
const NO_BUDGET = {
  TELEGRAM_BUDGET_PER_SECOND: '1000',
  TELEGRAM_BUDGET_CHAT_PER_SECOND: '1000',
  TELEGRAM_BUDGET_GROUP_PER_MINUTE: '100000',
};

async function eventually(condition) {
  for (;;) {
    const value = await condition();
    if (value) return value;
    await sleep(LOOK_EVERY_MS);
  }
}

const sendsOf = async ({ control }) => (await control('GET', 'calls?method=sendMessage')).calls;

/** Messages sent to a chat, and the most that its limit allows. The first three leave at once and do not count. */
async function goodput({ stage, rounds, progress }) {
  const sandbox = await stage.sandbox();
  await sandbox.control('POST', 'limits', {
    perSecond: 30,
    chatPerSecond: PER_SECOND,
    chatBurst: BURST,
    groupPerMinute: 1e6,
  });
  const database = await stage.database();
  const replicas = [];
  for (let n = 0; n < REPLICAS; n++)
    replicas.push(
      await stage.service(database, {
        ...sandbox.environment,
        TELEGRAM_BUDGET_GROUP_PER_MINUTE: '100000',
        APPROVAL_WARNING_MINUTES: '0',
      }),
    );
  const wanted = BURST + rounds * MESSAGES_A_ROUND;
  for (let n = 0; n < wanted; n++) await ask(replicas[n % REPLICAS]);
  let seen = 0;
  const calls = await eventually(async () => {
    const sent = await sendsOf(sandbox);
    if (sent.length > seen) progress(`${(seen = sent.length)} of ${wanted} messages are out`);
    return sent.length >= wanted && sent.every(({ status }) => status !== null) && sent;
  });
  const refused = calls.filter(({ status }) => status === 429).length;
  const times = calls.slice(0, wanted).map(({ atMs }) => atMs);
  const ratios = Array.from({ length: rounds }, (_, round) => {
    const from = BURST - 1 + round * MESSAGES_A_ROUND;
    const seconds = (times[from + MESSAGES_A_ROUND] - times[from]) / 1000;
    return MESSAGES_A_ROUND / seconds / PER_SECOND;
  });
  return [
    { n: 14, ratios, note: `${calls.length} messages, ${refused} answered with 429`, also: refused === 0 },
  ];
}

/** Stops the process where it stands between two transactions: nobody waits for a lock of it. */
async function freeze({ child }, database) {
  await eventually(async () => {
    child.kill('SIGSTOP');
    const [{ open }] = await database.query(
      `select count(*)::int as open from pg_stat_activity
       where datname = current_database() and state like 'idle in transaction%'`,
    );
    if (open > 0) child.kill('SIGCONT');
    return open === 0;
  });
}

/** A replica is killed when Telegram has its message and it has no answer: another sends it again after the lease. */
async function redelivery({ stage, rounds, progress }) {
  const sandbox = await stage.sandbox();
  await sandbox.control('POST', 'limits', NO_LIMITS);
  const environment = {
    ...sandbox.environment,
    ...NO_BUDGET,
    ESCALATION_LEASE_SECONDS: String(LEASE_SECONDS),
    APPROVAL_WARNING_MINUTES: '0',
  };
  const ratios = [];
  for (let round = 0; round < rounds; round++) {
    progress(`kill -9, round ${round + 1}`);
    const database = await stage.database();
    const [doomed, heir] = [
      await stage.service(database, environment),
      await stage.service(database, environment),
    ];
    // Only the first can take the card.
    await freeze(heir, database);
    await sandbox.control('POST', 'faults', { method: 'sendMessage', count: 1, delayMs: 3_000 });
    const before = (await sendsOf(sandbox)).length;
    await ask(doomed);
    await eventually(async () => (await sendsOf(sandbox)).length === before + 1);
    heir.child.kill('SIGCONT');
    const killedAt = Date.now();
    await doomed.end('SIGKILL');
    const again = await eventually(async () => (await sendsOf(sandbox))[before + 1]);
    ratios.push((again.atMs - killedAt) / (LEASE_SECONDS * 1000));
    await heir.end('SIGKILL');
  }
  return [{ n: 15, ratios, note: `lease ${LEASE_SECONDS} s` }];
}

export default [
  { rows: [14], measure: goodput },
  { rows: [15], measure: redelivery },
];
