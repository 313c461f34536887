import { setTimeout as delay } from 'node:timers/promises';
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import type { Config } from '../config/environment';
import type { Clock } from '../kernel/clock';
import { DomainError } from '../kernel/errors';
import { describeError, type Log } from '../logging/log';
import { BOOTSTRAP_PREFIX, digestOf, type Role } from './api-key';
import { bootstrapKeys } from './bootstrap-keys';
import type { Identity } from './identity';
import type { ActiveKey, KeyStore } from './key-store';
import { Standing } from './standing';

/** How often the table is read: new keys count, and revoked ones end, within this and the time of one query. */
const REFRESH_MS = 250;
/** What was read longer ago than this is not relied on (security.md 14). */
const FRESH_MS = 1_000;
/** How long a call waits for the table to be read again before it is told that the database is away. */
const PATIENCE_MS = 3_000;
/** Uses of keys are noted together, this often. */
const NOTE_USE_MS = 5_000;

interface Issued {
  readonly key: ActiveKey;
  readonly identity: Identity;
}

const isSame = (a: ActiveKey, b: ActiveKey): boolean =>
  a.name === b.name && a.role === b.role && a.owner === b.owner;

const base64Of = (key: string): string => digestOf(key).toString('base64');

/**
 * Knows every API key by its digest, in memory: a call costs one hash and no query. A look-up by digest tells nothing
 * by the time it takes, since nobody can choose a digest that nearly fits.
 *
 * Keys of the environment count while the process runs; issued ones as the table says, and when the table could not be
 * read for a second, nobody can tell, and calls with them are refused.
 */
export class KeyRing implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly bootstrap = new Map<string, Identity>();
  private issued = new Map<string, Issued>();
  private readonly used = new Set<string>();
  /** When the read began that the ring rests on; on the monotonic clock. */
  private readAt = -Infinity;
  private reading: Promise<void> | null = null;
  private failing = false;
  private refreshing: NodeJS.Timeout | null = null;
  private noting: NodeJS.Timeout | null = null;

  private constructor(
    private readonly store: KeyStore,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /**
   * The keys of the environment and of the table; with none anywhere, a generated pair.
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
    this.noting = setInterval(() => void this.noteUse(), NOTE_USE_MS);
  }

  async beforeApplicationShutdown(): Promise<void> {
    if (this.refreshing) clearInterval(this.refreshing);
    if (this.noting) clearInterval(this.noting);
    await this.noteUse();
  }

  /**
   * Whose key it is; null: nobody's.
   *
   * @throws DomainError `database.unavailable`, as a rejection, when nobody can tell.
   */
  identify(key: string): Identity | null | Promise<Identity | null> {
    const digest = base64Of(key);
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
    this.bootstrap.set(base64Of(key), { keyId, owner: null, role, standing: new Standing() });
  }

  private isFresh(): boolean {
    return this.clock.monotonicMs() - this.readAt <= FRESH_MS;
  }

  /** A read that began too long ago when it comes is followed by another; one that fails is not. */
  private async ensureFresh(): Promise<void> {
    const patience = new AbortController();
    const { signal } = patience;
    const over = delay(PATIENCE_MS, undefined, { signal }).then(
      () => patience.abort(),
      () => undefined,
    );
    while (!this.isFresh() && !signal.aborted) {
      await Promise.race([this.refresh(), over]);
      if (this.failing) break;
    }
    patience.abort();
    if (this.isFresh()) return;
    throw new DomainError('database.unavailable', 'API keys cannot be checked now; try again shortly.');
  }

  /** A call during a refresh joins it. Never rejects. */
  private refresh(): Promise<void> {
    this.reading ??= this.read()
      .then(
        () => this.tell(null),
        (error: unknown) => this.tell(error),
      )
      .finally(() => (this.reading = null));
    return this.reading;
  }

  private async read(): Promise<void> {
    const startedAt = this.clock.monotonicMs();
    this.take(await this.store.active());
    this.readAt = startedAt;
  }

  /** What is as it was keeps its identity, and with it its waiting calls; the rest ends. */
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
    return { key, identity: { keyId: name, owner, role, standing } };
  }

  /** Notes when keys were last used. Best effort: what could not be noted is noted the next time. */
  private async noteUse(): Promise<void> {
    const names = [...this.used];
    if (names.length === 0) return;
    this.used.clear();
    try {
      await this.store.noteUse(names);
    } catch (error) {
      for (const name of names) this.used.add(name);
      const fields = { error: describeError(error) };
      this.log.event('debug', 'access.use-not-noted', fields, 'last uses of keys could not be noted');
    }
  }

  private tell(error: unknown): void {
    const failing = error !== null;
    if (failing === this.failing) return;
    this.failing = failing;
    if (failing) {
      const fields = { error: describeError(error) };
      this.log.event(
        'error',
        'access.keys-unreadable',
        fields,
        'API keys cannot be read; issued ones are refused',
      );
    } else {
      this.log.event('info', 'access.keys-readable', {}, 'API keys can be read again');
    }
  }
}
