import { Global, Inject, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Clock } from '../../../src/kernel/clock';
import { CircuitBreakerService } from '../../../src/resilience/circuit-breaker';
import { ResilienceModule } from '../../../src/resilience/resilience.module';
import { FakeClock } from '../../support/fake-clock';
import { PeerDown, SETTINGS, settled } from './breaker-rig';

@Global()
@Module({ providers: [{ provide: Clock, useClass: FakeClock }], exports: [Clock] })
class ClockModule {}

/** Stands for the diagnostics: it imports nothing and is given the breaker. */
@Module({})
class OtherModule {
  constructor(@Inject(CircuitBreakerService) readonly breaker: CircuitBreakerService) {}
}

it('gives every module the one breaker, with its thresholds and its rule of what counts', async () => {
  const app = await Test.createTestingModule({
    imports: [
      ClockModule,
      ResilienceModule.forPeer({ ...SETTINGS, consecutiveFailures: 2 }, (error) => error instanceof PeerDown),
      OtherModule,
    ],
  }).compile();
  const { breaker } = app.get(OtherModule);
  await settled(breaker.execute(() => Promise.reject(new Error('an answer'))));
  await settled(breaker.execute(() => Promise.reject(new PeerDown('down'))));
  expect(breaker.state).toBe('closed');
  await settled(breaker.execute(() => Promise.reject(new PeerDown('down'))));
  expect(breaker.state).toBe('open');
  await app.close();
});
