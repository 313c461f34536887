import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { describeError } from '../kernel/describe-error';
import { Log } from '../logging/log';
import { AuditVerification } from './audit-verification';

const FIRST_AFTER_MS = 60_000;
const EVERY_MS = 86_400_000;
/** At this pause, a million rows take a few minutes, and requests hardly slow down. */
const PAUSE_MS = 50;

/** Verifies the audit log once a day, so that alteration is noticed even if no operator verifies it. */
@Injectable()
export class AuditWatch implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly verification: AuditVerification,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.verifyIn(FIRST_AFTER_MS);
  }

  beforeApplicationShutdown(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  private verifyIn(ms: number): void {
    this.timer = setTimeout(() => void this.verify(), ms);
  }

  /** Never rejects. */
  private async verify(): Promise<void> {
    try {
      const { ok, firstBad } = await this.verification.verify(PAUSE_MS);
      if (!ok) this.log.event('error', 'audit.chain-broken', { ...firstBad }, 'the audit log was altered');
    } catch (error) {
      const fields = { error: describeError(error) };
      this.log.event(
        'warn',
        'audit.verify-failed',
        fields,
        'the audit log could not be verified; tried tomorrow',
      );
    }
    if (this.timer) this.verifyIn(EVERY_MS);
  }
}
