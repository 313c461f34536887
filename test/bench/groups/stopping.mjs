import { setTimeout as sleep } from 'node:timers/promises';
import { approve, ask } from '../harness/population.mjs';
import { inTurn, median, ratiosOf } from '../harness/statistics.mjs';
import { KEYS } from '../harness/stage.mjs';
import { waiters } from '../harness/limits.mjs';
import { park } from './waiting.mjs';

const now = () => performance.timeOrigin + performance.now();

/** Signals, and waits until every parked call has ended. @returns milliseconds to the last answer, and what failed. */
async function stop(signal, parking, count) {
  const emptied = parking.call('emptied');
  const sentAt = now();
  signal();
  const { lastAnswerAt, answered, resets } = await emptied;
  await parking.call('leave');
  return { ms: lastAnswerAt - sentAt, unanswered: count - answered, resets };
}

async function stopping({ stage, rounds, progress }) {
  const count = waiters();
  const database = await stage.database();
  const parking = await stage.remote('load/generator.mjs');
  let answer;

  const ours = async () => {
    const service = await stage.service(database);
    if (answer === undefined) {
      const approval = await ask(service);
      await approve(service, approval.id);
      answer = JSON.stringify(approval);
    }
    await park({ database, service, parking, count });
    const stopped = await stop(() => service.child.kill('SIGTERM'), parking, count);
    if ((await service.ended).code !== 0) throw new Error('the service did not stop cleanly');
    await database.query(`delete from approvals where status = 'pending'`);
    return stopped;
  };
  const baseline = async () => {
    const bare = await stage.remote('load/raw-server.mjs');
    const target = await bare.call('holdingServer', { answer });
    await parking.call('park', { target, key: KEYS.agent, ids: Array.from({ length: count }, () => 'x') });
    while ((await bare.call('held')) < count) await sleep(50);
    return stop(() => bare.child.kill('SIGTERM'), parking, count);
  };

  await ours();
  const pairs = await inTurn(rounds, { ours, baseline }, (n) =>
    progress(`SIGTERM with ${count} waiters, round ${n}`),
  );
  const sum = (figure) => pairs.reduce((total, pair) => total + pair.ours[figure], 0);
  const ms = (side) => Math.round(median(pairs.map((pair) => pair[side].ms)));
  const lost = sum('unanswered') + sum('resets');
  return [
    {
      n: 16,
      ratios: ratiosOf(pairs, ({ ms: took }) => took),
      note: `${count} waiters: ${ms('ours')} against ${ms('baseline')} ms; ${sum('unanswered')} unanswered, ${sum('resets')} resets`,
      also: lost === 0,
      scaledDown: count < 10_000,
    },
  ];
}

export default [{ rows: [16], measure: stopping }];
