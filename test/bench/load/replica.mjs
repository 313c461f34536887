import { serve } from '../harness/rpc.mjs';
import { median } from '../harness/statistics.mjs';
import { built } from '../harness/stage.mjs';

/** The whole service in a process of the bench's, so that its sweep can be asked for; `env` as for any service. */
async function open(env) {
  const { NestFactory } = await import('@nestjs/core');
  const { AppModule } = built('app.module.js');
  const { parseConfig } = built('config/environment.js');
  const { createLog, NestLog } = built('logging/log.js');
  const { locateDatabase } = built('database/database-location.js');
  const config = parseConfig({ ...env, APPROVAL_SWEEP_INTERVAL_SECONDS: '3600' });
  const log = createLog(config.log, { write: () => undefined });
  const location = await locateDatabase(config, log);
  const app = await NestFactory.create(
    AppModule.with(config, log, location),
    built('http/adapter.js').createHttpAdapter(),
    { logger: new NestLog(log), bodyParser: false, abortOnError: false },
  );
  await app.listen(0, '127.0.0.1');
  const get = (part) => app.get(part, { strict: false });
  const { TimeoutSweeper } = built('approvals/timeout-sweeper.js');
  const { Database } = built('database/database.js');
  const { EventBus } = await import('@nestjs/cqrs');
  inside = { sweeper: get(TimeoutSweeper), database: get(Database), events: get(EventBus) };
  return { url: await app.getUrl() };
}

let inside;

const timed = async (work) => {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
};

/** One sweep of everything that is due, in milliseconds. */
const sweep = () => timed(() => inside.sweeper.sweep());

/** The median of sweeps that find nothing, in milliseconds. */
async function idleSweep(count) {
  const took = [];
  for (let n = 0; n < count; n++) took.push(await sweep());
  return median(took);
}

/** The same end for the same rows, as one statement and nothing beside it, in milliseconds. */
const update = () =>
  timed(() =>
    inside.database.query(
      {
        name: 'bench-update',
        text: `update approvals set status = 'expired', settled_at = now(), settled_by_kind = 'system',
          settled_by_id = 'timeout', settled_by_name = 'timeout'
        where status = 'pending' and expires_at <= now()
        returning id, status, key_id, request, input_digest, correlation_id, created_at, expires_at, settled_at,
          settled_by_kind, settled_by_id, settled_by_name, reason, acknowledged`,
      },
      [],
    ),
  );

/** Milliseconds of one event until every metric has counted it. */
async function recording(count) {
  const { ApprovalEnqueued } = built('approvals/approval-events.js');
  const event = new ApprovalEnqueued({ id: 'bench', status: 'pending' });
  return (
    (await timed(() => {
      for (let n = 0; n < count; n++) inside.events.publish(event);
    })) / count
  );
}

serve({ open, sweep, idleSweep, update, recording });
