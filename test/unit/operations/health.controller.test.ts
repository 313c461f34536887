import { TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { TimeoutSweeper } from '../../../src/approvals/timeout-sweeper';
import { Heartbeat } from '../../../src/database/heartbeat';
import { Departure } from '../../../src/operations/health/departure';
import { HealthController } from '../../../src/operations/health/health.controller';
import { TelegramStatus } from '../../../src/channels/telegram/telegram-status';

const CURRENT = { applied: [], pending: [], unknown: [] };

/** The controller beside a heartbeat that knows this. */
async function readiness(heartbeat: Pick<Heartbeat, 'downBecause' | 'schema'>) {
  const testing = await Test.createTestingModule({
    imports: [TerminusModule.forRoot({ logger: false })],
    controllers: [HealthController],
    providers: [
      { provide: Heartbeat, useValue: heartbeat },
      { provide: TimeoutSweeper, useValue: {} },
      { provide: TelegramStatus, useValue: {} },
      Departure,
    ],
  }).compile();
  return () => testing.get(HealthController).ready();
}

it('a database that takes heartbeats, with the schema of this build, is ready', async () => {
  const ready = await readiness({ downBecause: null, schema: CURRENT });
  expect(await ready()).toMatchObject({
    status: 'ok',
    details: { database: { status: 'up' }, migrations: { status: 'up' } },
  });
});

it('a database that takes none is not, and says why', async () => {
  const ready = await readiness({ downBecause: 'the database is read-only', schema: CURRENT });
  await expect(ready()).rejects.toMatchObject({
    status: 503,
    response: { details: { database: { status: 'down', reason: 'the database is read-only' } } },
  });
});

it.each([
  ['not known yet', null, { reason: 'the database did not say which migrations it has' }],
  ['older', { ...CURRENT, pending: ['Next'] }, { pending: ['Next'] }],
])('a schema that is %s is not', async (_what, schema, said) => {
  const ready = await readiness({ downBecause: null, schema });
  await expect(ready()).rejects.toMatchObject({
    status: 503,
    response: { details: { migrations: { status: 'down', ...said } } },
  });
});

it('a newer schema is served, and named', async () => {
  const ready = await readiness({ downBecause: null, schema: { ...CURRENT, unknown: ['Newer'] } });
  expect(await ready()).toMatchObject({ details: { migrations: { status: 'up', unknown: ['Newer'] } } });
});
