import { Injectable } from '@nestjs/common';
import { describeError, Log } from '../../logging/log';

/** Keeps errors of recording away from the caller; logs the first of several. */
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
