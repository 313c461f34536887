import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { AuditCheckpoints } from '../audit-checkpoints';

/** Every exported checkpoint that the database or this replica's file has; compact JWS. */
export class CheckpointsQuery extends Query<readonly string[]> {}

@QueryHandler(CheckpointsQuery)
export class CheckpointsHandler implements IQueryHandler<CheckpointsQuery> {
  constructor(private readonly checkpoints: AuditCheckpoints) {}

  execute(): Promise<readonly string[]> {
    return this.checkpoints.all();
  }
}
