import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { ActivePolicy } from '../active-policy';
import { dutyAt, type Duty } from './duties';
import { OnCallStore } from './on-call-store';

/** The people on duty now, by the rotas of the active policy. */
export class ListOnCallQuery extends Query<Duty[]> {}

@QueryHandler(ListOnCallQuery)
export class ListOnCallHandler implements IQueryHandler<ListOnCallQuery> {
  constructor(
    private readonly policy: ActivePolicy,
    private readonly store: OnCallStore,
  ) {}

  async execute(): Promise<Duty[]> {
    const { people, rotas } = this.policy;
    if (people === null || rotas.size === 0) return [];
    const { now, overrides } = await this.store.read();
    return [...rotas].map((rota) => dutyAt(rota, overrides.get(rota[0]), people, now));
  }
}
