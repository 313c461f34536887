import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { AuditStore } from '../audit-store';
import type { SealedRow } from '../seal';

export interface SealedPage {
  readonly items: readonly SealedRow[];
  /** The number to continue after; null at the end. */
  readonly nextAfter: number | null;
  /** Number of rows without a seal yet; only on the last page. */
  readonly unsealed: number | null;
}

/** Seals with their rows in the order of the chain, for export. The chain only grows at its end. */
export class SealedPageQuery extends Query<SealedPage> {
  constructor(
    readonly afterNumber: number,
    readonly limit: number,
  ) {
    super();
  }
}

@QueryHandler(SealedPageQuery)
export class SealedPageHandler implements IQueryHandler<SealedPageQuery> {
  constructor(private readonly store: AuditStore) {}

  async execute({ afterNumber, limit }: SealedPageQuery): Promise<SealedPage> {
    const items = await this.store.sealed(afterNumber, limit);
    const last = items.at(-1);
    if (last && items.length === limit) return { items, nextAfter: last.seal.number, unsealed: null };
    return { items, nextAfter: null, unsealed: await this.store.countUnsealed() };
  }
}
