import { HealthIndicatorService, TerminusModule, TypeOrmHealthIndicator } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { TimeoutSweeper } from '../../../src/approvals/timeout-sweeper';
import { MigrationState } from '../../../src/database/migration-state';
import { Departure } from '../../../src/health/departure';
import { HealthController } from '../../../src/health/health.controller';
import { TelegramStatus } from '../../../src/telegram/telegram-status';

/** The controller before a database that answers the pings of a test one by one. */
async function readiness(...pings: ('up' | 'down')[]) {
  const indicator = new HealthIndicatorService();
  const pingCheck = jest.fn(() => {
    const check = indicator.check('database');
    return Promise.resolve(pings.shift() === 'down' ? check.down() : check.up());
  });
  const testing = await Test.createTestingModule({
    imports: [TerminusModule.forRoot({ logger: false })],
    controllers: [HealthController],
    providers: [
      {
        provide: MigrationState,
        useValue: { read: () => Promise.resolve({ applied: [], pending: [], unknown: [] }) },
      },
      { provide: TimeoutSweeper, useValue: {} },
      { provide: TelegramStatus, useValue: {} },
      Departure,
    ],
  })
    .overrideProvider(TypeOrmHealthIndicator)
    .useValue({ pingCheck })
    .compile();
  return { ready: () => testing.get(HealthController).ready(), pingCheck };
}

it('one connection that turns out dead does not make a replica unready', async () => {
  const { ready } = await readiness('down', 'up');
  expect(await ready()).toMatchObject({ status: 'ok', details: { database: { status: 'up' } } });
});

it('a database that twice does not answer does', async () => {
  const { ready } = await readiness('down', 'down');
  await expect(ready()).rejects.toMatchObject({ status: 503 });
});

it('a database that answers is asked once', async () => {
  const { ready, pingCheck } = await readiness('up');
  await ready();
  expect(pingCheck).toHaveBeenCalledTimes(1);
});
