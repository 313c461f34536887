import { Global, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { ConfigModule } from '../../../src/config/config.module';
import { parseConfig } from '../../../src/config/environment';
import { Clock } from '../../../src/kernel/clock';
import { CircuitBreakerService } from '../../../src/resilience/circuit-breaker';
import { ResilienceModule } from '../../../src/resilience/resilience.module';
import { FakeClock } from '../../support/fake-clock';
import { PeerDown, settled } from './breaker-rig';

@Global()
@Module({ providers: [{ provide: Clock, useClass: FakeClock }], exports: [Clock] })
class ClockModule {}

it('gives every module the one breaker, with the configured thresholds and the rule of what counts', async () => {
  const app = await Test.createTestingModule({
    imports: [
      ClockModule,
      ConfigModule.with(parseConfig({ CIRCUIT_BREAKER_CONSECUTIVE_FAILURES: '2' })),
      ResilienceModule.forPeer((error) => error instanceof PeerDown),
    ],
  }).compile();
  const breaker = app.get(CircuitBreakerService);
  await settled(breaker.execute(() => Promise.reject(new Error('an answer'))));
  await settled(breaker.execute(() => Promise.reject(new PeerDown('down'))));
  expect(breaker.state).toBe('closed');
  await settled(breaker.execute(() => Promise.reject(new PeerDown('down'))));
  expect(breaker.state).toBe('open');
  await app.close();
});
