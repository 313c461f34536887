import { setTimeout as sleep } from 'node:timers/promises';
import { approve, ask } from '../harness/population.mjs';
import { inTurn, median, ratiosOf } from '../harness/statistics.mjs';
import { KEYS } from '../harness/stage.mjs';
import { park, unpark } from './waiting.mjs';

const PARKED = 2_000;
const MAX_STREAM_RATIO = 1.6;

async function memory({ stage, rounds, progress }) {
  const database = await stage.database();
  const service = await stage.service(
    database,
    { APPROVAL_SWEEP_INTERVAL_SECONDS: '3600' },
    { preload: ['load/memory-probe.cjs'], execArgv: ['--expose-gc'] },
  );
  const approval = await ask(service);
  await approve(service, approval.id);
  const bare = await stage.remote('load/raw-server.mjs', { execArgv: ['--expose-gc'] });
  const target = await bare.call('holdingServer', { answer: JSON.stringify(approval) });
  const parking = await stage.remote('load/generator.mjs');

  const ours = async (kind) => {
    const before = await service.ask('memory');
    await park({ database, service, parking, count: PARKED, kind });
    const after = await service.ask('memory');
    await unpark({ service, parking });
    await database.query(`delete from approvals where status = 'pending'`);
    return (after.used - before.used) / PARKED;
  };
  const baseline = async (kind) => {
    const before = await bare.call('memory');
    const ids = Array.from({ length: PARKED }, () => approval.id);
    await parking.call('park', { target, key: KEYS.agent, ids, kind });
    while ((await bare.call('held')) < PARKED) await sleep(50);
    const after = await bare.call('memory');
    await parking.call('leave');
    while ((await bare.call('held')) > 0) await sleep(50);
    return (after.used - before.used) / PARKED;
  };

  const ratios = {};
  const notes = [];
  for (const kind of ['poll', 'stream']) {
    await ours(kind);
    await baseline(kind);
    const pairs = await inTurn(rounds, { ours: () => ours(kind), baseline: () => baseline(kind) }, (n) =>
      progress(`memory of a waiter (${kind}), round ${n}`),
    );
    ratios[kind] = ratiosOf(pairs);
    const kib = (side) => (median(pairs.map((pair) => pair[side])) / 1024).toFixed(1);
    notes.push(`${kind} ${median(ratios[kind]).toFixed(2)} (${kib('ours')} against ${kib('baseline')} KiB)`);
  }
  return [
    {
      n: 11,
      ratios: ratios.poll,
      note: notes.join(', '),
      also: median(ratios.stream) <= MAX_STREAM_RATIO,
    },
  ];
}

export default [{ rows: [11], measure: memory }];
