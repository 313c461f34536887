import { readFile } from 'node:fs/promises';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { CONFIG, type Config } from '../config/environment';
import { ConfigurationError } from '../config/faults';
import { Clock } from '../kernel/clock';
import { DomainError } from '../kernel/errors';
import { describeError } from '../kernel/describe-error';
import { Log } from '../logging/log';
import { SigningKeys } from '../receipts/signing-keys';
import { appendLines, openForLines } from './append-lines';
import { checkpointLine, checkpointLines, type Checkpoint } from './audit-checkpoint';
import { AuditStore } from './audit-store';
import { CHECKPOINT_TYPE } from './seal';

/** Interval of exports. An owner of the database could rewrite rows of the last ten minutes unnoticed. */
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

/** Signs the end of the audit log, and writes that checkpoint to a file outside the database. */
@Injectable()
export class AuditCheckpoints implements OnModuleInit {
  private dueAtMs = 0;

  constructor(
    private readonly store: AuditStore,
    private readonly keys: SigningKeys,
    private readonly clock: Clock,
    private readonly log: Log,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /**
   * @throws ConfigurationError when the file is not writable: sealed rows would have no witness outside the database.
   */
  async onModuleInit(): Promise<void> {
    try {
      await (await openForLines(this.config.audit.checkpointFile)).close();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const fault = `cannot be written to (${code ?? 'error'}): ${this.config.audit.checkpointFile}`;
      throw new ConfigurationError([`AUDIT_CHECKPOINT_FILE: ${fault}`]);
    }
  }

  /**
   * Exports a checkpoint if the last is old enough. Never rejects: the log is sealed even if the file is not writable.
   */
  async exportIfDue(): Promise<void> {
    const now = this.clock.monotonicMs();
    if (now >= this.dueAtMs) await this.exportNow();
  }

  /** Exports a checkpoint, unless the last covers everything that is sealed. Never rejects either. */
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
   * @throws DomainError `audit.checkpoint-unwritable`, `database.unavailable`.
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
    // The file first: retention may remove rows up to a checkpoint that the database has.
    await this.append(jws);
    await this.store.recordCheckpoint(last, jws);
    this.log.event(
      'info',
      'audit.checkpoint',
      { number: last.number },
      'a checkpoint of the audit log was exported',
    );
    return jws;
  }

  /** Every checkpoint that the database or this replica's file has, as signed. */
  async all(): Promise<string[]> {
    return [
      ...new Set([
        ...(await this.store.checkpoints()),
        ...(await checkpointsInFile(this.config.audit.checkpointFile)),
      ]),
    ];
  }

  private async append(jws: string): Promise<void> {
    try {
      await appendLines(this.config.audit.checkpointFile, checkpointLine(jws));
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw new DomainError(
        'audit.checkpoint-unwritable',
        `The file of the checkpoints cannot be written to (${code ?? 'error'}); see AUDIT_CHECKPOINT_FILE.`,
        { cause },
      );
    }
  }
}
