import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { AuditStore } from '../audit-store';
import type { SealedRow } from '../chain-verifier';

export interface SealedPage {
  readonly items: readonly SealedRow[];
  /** The number to continue after; null at the end. */
  readonly nextAfter: number | null;
  /** How many rows have no seal yet; told at the end. */
  readonly unsealed: number | null;
}

/** Seals with their rows in the order of the chain, in which nothing is ever put in later: what an export holds. */
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
