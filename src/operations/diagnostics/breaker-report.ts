import { Inject, Injectable } from '@nestjs/common';
import { LeaseStore } from '../../database/lease-store';
import { Log } from '../../logging/log';
import { BREAKER, type Breaker } from '../metrics/breaker';

export const BREAKER_ACTIONS = ['open', 'close', 'reset'] as const;
export type BreakerAction = (typeof BREAKER_ACTIONS)[number];

/** Shows the circuit breaker of this replica, and lets an operator move it. */
@Injectable()
export class BreakerReport {
  constructor(
    @Inject(BREAKER) private readonly breaker: Breaker,
    private readonly own: LeaseStore,
    private readonly log: Log,
  ) {}

  read() {
    const { openedAt, nextAttemptAt, ...statistics } = this.breaker.statistics();
    return {
      replica: this.own.replica,
      ...statistics,
      openedAt: openedAt?.toISOString() ?? null,
      nextAttemptAt: nextAttemptAt?.toISOString() ?? null,
    };
  }

  /** @param by the API key of the operator. */
  move(action: BreakerAction, by: string) {
    switch (action) {
      case 'open':
        this.breaker.forceOpen();
        break;
      case 'close':
        this.breaker.forceClose();
        break;
      case 'reset':
        this.breaker.reset();
        break;
    }
    this.log.event('warn', 'breaker.forced', { action, by }, 'an operator moved the circuit breaker');
    return this.read();
  }
}
