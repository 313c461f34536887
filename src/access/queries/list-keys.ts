import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { KeyRecord } from '../api-key';
import { KeyStore } from '../key-store';

/** The API keys that were made with the command line, also revoked ones. */
export class ListKeysQuery extends Query<readonly KeyRecord[]> {}

@QueryHandler(ListKeysQuery)
export class ListKeysHandler implements IQueryHandler<ListKeysQuery> {
  constructor(private readonly keys: KeyStore) {}

  execute(): Promise<readonly KeyRecord[]> {
    return this.keys.list();
  }
}
