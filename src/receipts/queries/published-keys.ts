import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { Clock } from '../../kernel/clock';
import type { KeySet } from '../key-set';
import { SigningKeyStore } from '../signing-key-store';

/** Anybody may request the keys at any rate, so the database is queried at most once a second. */
const FRESH_MS = 1_000;

/** Returns every public key. Retired ones are included, because their receipts stay evidence. */
export class PublishedKeysQuery extends Query<KeySet> {}

@QueryHandler(PublishedKeysQuery)
export class PublishedKeysHandler implements IQueryHandler<PublishedKeysQuery> {
  private latest: { readonly keys: Promise<KeySet>; readonly atMs: number } | null = null;

  constructor(
    private readonly store: SigningKeyStore,
    private readonly clock: Clock,
  ) {}

  execute(): Promise<KeySet> {
    const now = this.clock.monotonicMs();
    if (this.latest && now - this.latest.atMs <= FRESH_MS) return this.latest.keys;
    const keys = this.store.all().then((all) => ({ keys: all }));
    this.latest = { keys, atMs: now };
    return keys;
  }
}
