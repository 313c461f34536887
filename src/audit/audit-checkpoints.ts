import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../config/environment';
import { Clock } from '../kernel/clock';
import { describeError, Log } from '../logging/log';
import { SigningKeys } from '../receipts/signing-keys';
import { CHECKPOINT_TYPE, checkpointLine, checkpointLines, type Checkpoint } from './audit-checkpoint';
import { AuditStore } from './audit-store';

/** What was written in the last ten minutes is what an owner of the database could still rewrite unseen. */
const EVERY_MS = 600_000;
const RETRY_MS = 60_000;

/** The checkpoints in a file; none when it is not there. @throws Error when it cannot be read. */
export async function checkpointsInFile(path: string): Promise<string[]> {
  try {
    return checkpointLines(await readFile(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Signs how far the log has come, and writes that to a file outside the database. */
@Injectable()
export class AuditCheckpoints {
  private dueAtMs = 0;

  constructor(
    private readonly store: AuditStore,
    private readonly keys: SigningKeys,
    private readonly clock: Clock,
    private readonly log: Log,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Exports one if the last is old enough. Never rejects: the log is sealed whether or not the file can be written. */
  async exportIfDue(): Promise<void> {
    const now = this.clock.monotonicMs();
    if (now >= this.dueAtMs) await this.exportNow();
  }

  /** Exports one, unless the last covers everything that is sealed. Never rejects either. */
  async exportNow(): Promise<void> {
    const now = this.clock.monotonicMs();
    this.dueAtMs = now + EVERY_MS;
    try {
      await this.export();
    } catch (error) {
      this.dueAtMs = now + RETRY_MS;
      const fields = { file: this.config.audit.checkpointFile, error: describeError(error) };
      this.log.event(
        'error',
        'audit.checkpoint-failed',
        fields,
        'no checkpoint could be exported; tried again',
      );
    }
  }

  /**
   * Exports one now, unless the last one covers everything that is sealed.
   *
   * @returns the newest checkpoint, a compact JWS; null while nothing is sealed.
   */
  async export(): Promise<string | null> {
    const last = await this.store.lastSeal();
    if (last.number === 0) return null;
    const known = await this.store.checkpointAt(last.number);
    if (known !== null) return known;
    const checkpoint: Checkpoint = {
      iss: 'countersign',
      number: last.number,
      seq: last.seq,
      hash: last.hash,
      iat: Math.floor(this.clock.now().getTime() / 1000),
    };
    const jws = this.keys.sign(CHECKPOINT_TYPE, checkpoint);
    // The file first: rows may be removed up to a checkpoint that the database knows of.
    await this.append(jws);
    await this.store.exported(last, jws);
    this.log.event(
      'info',
      'audit.checkpoint',
      { number: last.number },
      'a checkpoint of the audit log was exported',
    );
    return jws;
  }

  /** Every checkpoint that the database or this replica's file knows, as it was signed. */
  async all(): Promise<string[]> {
    return [
      ...new Set([
        ...(await this.store.checkpoints()),
        ...(await checkpointsInFile(this.config.audit.checkpointFile)),
      ]),
    ];
  }

  private async append(jws: string): Promise<void> {
    const { checkpointFile } = this.config.audit;
    await mkdir(dirname(checkpointFile), { recursive: true });
    const file = await open(checkpointFile, 'a', 0o600);
    try {
      await file.appendFile(checkpointLine(jws));
      await file.datasync();
    } finally {
      await file.close();
    }
  }
}
