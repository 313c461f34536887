import { Injectable } from '@nestjs/common';
import { SigningKeyStore } from '../receipts/signing-key-store';
import { AuditCheckpoints } from './audit-checkpoints';
import { AuditStore } from './audit-store';
import { verifyChain } from './verify-chain';
import type { ChainVerdict } from './walk-chain';

export interface Verified extends ChainVerdict {
  readonly ok: boolean;
  /** Sealed rows, as far as they were read, plus unsealed ones. */
  readonly rows: number;
  readonly unsealed: number;
}

/** Compares the log with its seals, and the seals with every checkpoint that this replica can read. */
@Injectable()
export class AuditVerification {
  /** True if the last verification found no fault; null before the first. */
  latest: boolean | null = null;
  private running: Promise<Verified> | null = null;

  constructor(
    private readonly store: AuditStore,
    private readonly checkpoints: AuditCheckpoints,
    private readonly keys: SigningKeyStore,
  ) {}

  /** Reads the whole log, resting `pauseMs` after each batch; a call while one runs joins it. */
  verify(pauseMs = 0): Promise<Verified> {
    this.running ??= this.run(pauseMs).finally(() => (this.running = null));
    return this.running;
  }

  private async run(pauseMs: number): Promise<Verified> {
    const verdict = await verifyChain({
      batches: () => this.store.allSealed(pauseMs),
      checkpoints: await this.checkpoints.all(),
      keys: { keys: await this.keys.all() },
    });
    const unsealed = await this.store.countUnsealed();
    this.latest = verdict.firstBad === null;
    return { ...verdict, ok: this.latest, rows: verdict.rows + unsealed, unsealed };
  }
}
