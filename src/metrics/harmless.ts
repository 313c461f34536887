import { Injectable } from '@nestjs/common';
import { describeError, Log } from '../logging/log';

/** Keeps what goes wrong while something is recorded from reaching whoever caused it; tells the log once. */
@Injectable()
export class Harmless {
  private failing = false;

  constructor(private readonly log: Log) {}

  do(record: () => void): void {
    try {
      record();
      this.failing = false;
    } catch (error) {
      if (!this.failing) {
        const fields = { error: describeError(error) };
        this.log.event('error', 'metrics.record-failed', fields, 'metrics miss events; approvals go on');
      }
      this.failing = true;
    }
  }
}
