import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import { CONFIG, type Config } from '../config/environment';
import { ConfigurationError } from '../config/faults';
import { Clock } from '../kernel/clock';
import { singleFlight } from '../kernel/single-flight';
import { describeError } from '../kernel/describe-error';
import { Log } from '../logging/log';
import { SigningKey } from './signing-key';
import { SigningKeyFile } from './signing-key-file';
import { SigningKeyStore } from './signing-key-store';

/** Interval at which a replica checks for a requested rotation. */
const CHECK_MS = 10_000;
/**
 * Time for which a new key is public before its first signature. Callers may cache the key set for as long
 * (`jwks.controller.ts`).
 */
export const PUBLIC_BEFORE_USE_MS = 60_000;

/**
 * Signs for this replica. Its key comes from `APPROVAL_SIGNING_KEY`, or else from a file in `DATA_DIR`, which is made
 * when there is none. A rotation replaces a key of the file. A key of the environment stays until an operator sets
 * another.
 */
@Injectable()
export class SigningKeys implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly file: SigningKeyFile | null;
  private current: SigningKey | null = null;
  private successor: { readonly key: SigningKey; readonly fromMs: number } | null = null;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly store: SigningKeyStore,
    private readonly clock: Clock,
    private readonly log: Log,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    this.file = config.signing.key === null ? new SigningKeyFile(config.dataDir) : null;
  }

  /** Loads the key before any request can settle. */
  async onModuleInit(): Promise<void> {
    this.current = await this.load();
    await this.store.publish(this.current);
    await this.check();
    this.log.event('info', 'signing-key.ready', { kid: this.kid }, 'receipts are signed with this key');
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.check(), CHECK_MS);
  }

  async beforeApplicationShutdown(): Promise<void> {
    if (this.timer) clearInterval(this.timer);
    await this.check.current();
  }

  /** The id of the key that signs now. */
  get kid(): string {
    return this.inUse().kid;
  }

  /** Signs a compact JWS of this `typ` over the JSON form of the payload. */
  sign(type: string, payload: object): string {
    return this.inUse().sign(type, payload);
  }

  /** Follows a rotation; a call during a check joins it. Never rejects: the current key stays valid meanwhile. */
  readonly check = singleFlight(() =>
    this.followRotation().catch((error: unknown) =>
      this.log.event(
        'error',
        'signing-key.check-failed',
        { error: describeError(error) },
        'a rotation of the signing key may go unnoticed; it is retried',
      ),
    ),
  );

  private inUse(): SigningKey {
    if (this.successor && this.clock.monotonicMs() >= this.successor.fromMs) {
      this.current = this.successor.key;
      this.successor = null;
      this.log.event(
        'info',
        'signing-key.changed',
        { kid: this.current.kid },
        'the new key signs from now on',
      );
    }
    if (!this.current) throw new Error('asked for a signature before the key was loaded');
    return this.current;
  }

  private async load(): Promise<SigningKey> {
    const { key } = this.config.signing;
    if (this.file) return (await this.file.read()) ?? this.file.make();
    try {
      return await SigningKey.from(key ?? '');
    } catch (error) {
      throw new ConfigurationError([`APPROVAL_SIGNING_KEY: ${describeError(error)}`]);
    }
  }

  private async followRotation(): Promise<void> {
    const { kid } = this.inUse();
    const leftMs = await this.store.retiresInMs(kid);
    if (leftMs === null || this.successor) return;
    if (!this.file) return this.stay(kid);
    // A service that shares the directory may have been faster.
    const kept = await this.file.read();
    const key = kept && kept.kid !== kid ? kept : await this.file.replace();
    await this.store.publish(key);
    const waitMs = Math.max(0, Math.min(PUBLIC_BEFORE_USE_MS, leftMs));
    this.successor = { key, fromMs: this.clock.monotonicMs() + waitMs };
    this.log.event(
      'info',
      'signing-key.rotating',
      { kid, successor: key.kid },
      'a new signing key is published',
    );
  }

  private async stay(kid: string): Promise<void> {
    if (!(await this.store.keep(kid))) return;
    this.log.event(
      'warn',
      'signing-key.kept',
      { kid },
      'this key comes from APPROVAL_SIGNING_KEY and stays in use: put a new one there and restart',
    );
  }
}
