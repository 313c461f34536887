import { setTimeout as delay } from 'node:timers/promises';
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import type { Config } from '../config/environment';
import type { Clock } from '../kernel/clock';
import { DomainError } from '../kernel/errors';
import { singleFlight } from '../kernel/single-flight';
import { FailureLog } from '../logging/failure-log';
import { describeError } from '../kernel/describe-error';
import type { Log } from '../logging/log';
import { BOOTSTRAP_PREFIX, digestOf } from './api-key';
import type { Role } from '../http/role';
import { bootstrapKeys } from './bootstrap-keys';
import type { Identity } from './identity';
import type { ActiveKey, KeyStore } from './key-store';
import { Standing } from './standing';

/** Interval at which the table is read: new keys count, and revoked ones end, within this and the time of one query. */
const REFRESH_MS = 250;
/** Maximum age of a read that calls may rely on (security.md 14). */
const FRESH_MS = 1_000;
/** Maximum wait of a call for a new read of the table, before it fails with `database.unavailable`. */
const PATIENCE_MS = 3_000;
/** Interval at which uses of keys are written together. */
const NOTE_USE_MS = 5_000;

interface Issued {
  readonly key: ActiveKey;
  readonly identity: Identity;
}

const isSame = (a: ActiveKey, b: ActiveKey): boolean =>
  a.name === b.name && a.role === b.role && a.owner === b.owner;

const base64Of = (key: string): string => digestOf(key).toString('base64');

/**
 * Holds every API key by its digest, in memory: a call costs one hash and no query. The time of a look-up reveals
 * nothing, since no caller can choose a digest that nearly matches.
 *
 * Keys of the environment count while the process runs, issued keys while the table has them. If the table could not be
 * read for a second, calls with issued keys are refused: fail closed.
 */
export class KeyRing implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly bootstrap = new Map<string, Identity>();
  private issued = new Map<string, Issued>();
  private readonly used = new Set<string>();
  /** Start of the last successful read, on the monotonic clock. */
  private readAt = -Infinity;
  private readonly failures: FailureLog;
  private refreshing: NodeJS.Timeout | null = null;
  private noting: NodeJS.Timeout | null = null;

  private constructor(
    private readonly store: KeyStore,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    this.failures = new FailureLog(
      log,
      { event: 'access.keys-unreadable', message: 'API keys cannot be read; issued ones are refused' },
      { event: 'access.keys-readable', message: 'API keys can be read again' },
    );
  }

  /**
   * Opens the ring with the keys of the environment and of the table; without any, with a generated pair.
   *
   * @throws ConfigurationError when there are none and the service would listen beyond this machine; DomainError
   * `database.unavailable`.
   */
  static async open(store: KeyStore, clock: Clock, log: Log, config: Config): Promise<KeyRing> {
    const ring = new KeyRing(store, clock, log);
    await ring.read();
    const { agent, operator } = bootstrapKeys(config, log, ring.issued.size > 0);
    if (agent !== null) ring.admit(agent, 'agent');
    if (operator !== null) ring.admit(operator, 'operator');
    return ring;
  }

  onApplicationBootstrap(): void {
    this.refreshing = setInterval(() => void this.refresh(), REFRESH_MS);
    this.noting = setInterval(() => void this.recordUse(), NOTE_USE_MS);
  }

  async beforeApplicationShutdown(): Promise<void> {
    if (this.refreshing) clearInterval(this.refreshing);
    if (this.noting) clearInterval(this.noting);
    await this.recordUse();
  }

  /**
   * Finds the identity of a key; null: the key is unknown.
   *
   * @throws DomainError `database.unavailable`, as a rejection, when the table cannot be read.
   */
  identify(key: string): Identity | null | Promise<Identity | null> {
    return this.identifyBase64(base64Of(key));
  }

  /** Like {@link identify}, by the key's SHA-256. */
  identifyDigest(digest: Buffer): Identity | null | Promise<Identity | null> {
    return this.identifyBase64(digest.toString('base64'));
  }

  private identifyBase64(digest: string): Identity | null | Promise<Identity | null> {
    const bootstrap = this.bootstrap.get(digest);
    if (bootstrap) return bootstrap;
    return this.isFresh() ? this.find(digest) : this.ensureFresh().then(() => this.find(digest));
  }

  private find(digest: string): Identity | null {
    const identity = this.issued.get(digest)?.identity ?? null;
    if (identity) this.used.add(identity.keyId);
    return identity;
  }

  private admit(key: string, role: Role): void {
    const keyId = `${BOOTSTRAP_PREFIX}${role}`;
    this.bootstrap.set(base64Of(key), { keyId, owner: null, role, channel: 'api', standing: new Standing() });
  }

  private isFresh(): boolean {
    return this.clock.monotonicMs() - this.readAt <= FRESH_MS;
  }

  /** Reads again if the last read began too long ago. Does not retry a failed read. */
  private async ensureFresh(): Promise<void> {
    const patience = new AbortController();
    const { signal } = patience;
    const over = delay(PATIENCE_MS, undefined, { signal }).then(
      () => patience.abort(),
      () => undefined,
    );
    while (!this.isFresh() && !signal.aborted) {
      await Promise.race([this.refresh(), over]);
      if (this.failures.failing) break;
    }
    patience.abort();
    if (this.isFresh()) return;
    throw new DomainError('database.unavailable', 'API keys cannot be checked now; try again shortly.');
  }

  /** A call during a refresh joins it. Never rejects. */
  private readonly refresh = singleFlight(() =>
    this.read().then(
      () => this.failures.succeed(),
      (error: unknown) => this.failures.fail(error),
    ),
  );

  private async read(): Promise<void> {
    const startedAt = this.clock.monotonicMs();
    this.take(await this.store.active());
    this.readAt = startedAt;
  }

  /** An unchanged key keeps its identity, and with it its waiting calls. Every other identity ends. */
  private take(keys: readonly ActiveKey[]): void {
    const before = this.issued;
    this.issued = new Map(keys.map((key) => [key.digest, this.kept(before.get(key.digest), key)]));
    for (const [digest, { key, identity }] of before) {
      if (this.issued.get(digest)?.identity === identity) continue;
      const waiters = identity.standing.end();
      this.log.event('info', 'access.key-ended', { name: key.name, waiters }, 'an API key was revoked');
    }
  }

  private kept(before: Issued | undefined, key: ActiveKey): Issued {
    if (before && isSame(before.key, key)) return before;
    const { name, role, owner } = key;
    const standing = new Standing(() => this.ensureFresh());
    return { key, identity: { keyId: name, owner, role, channel: 'api', standing } };
  }

  /** Writes the last use of keys. Best effort: a failed write is retried with the next one. */
  private async recordUse(): Promise<void> {
    const names = [...this.used];
    if (names.length === 0) return;
    this.used.clear();
    try {
      await this.store.recordUse(names);
    } catch (error) {
      for (const name of names) this.used.add(name);
      const fields = { error: describeError(error) };
      this.log.event('debug', 'access.use-not-noted', fields, 'last uses of keys could not be noted');
    }
  }
}
