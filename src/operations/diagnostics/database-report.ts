import { Injectable } from '@nestjs/common';
import { Database } from '../../database/database';
import { MigrationState } from '../../database/migration-state';
import { Clock } from '../../kernel/clock';
import { describeError } from '../../kernel/describe-error';
import { DatabaseFactsStore } from './database-facts-store';

/** Reports the state of the database, as this replica sees it. */
@Injectable()
export class DatabaseReport {
  constructor(
    private readonly database: Database,
    private readonly facts: DatabaseFactsStore,
    private readonly migrations: MigrationState,
    private readonly clock: Clock,
  ) {}

  /** While the database is unavailable, reports what this replica knows itself: that is when operators ask. */
  async read() {
    // Read first, without the connections that this report takes.
    const pool = this.database.poolUse;
    try {
      const { serverVersion, sizeBytes } = await this.facts.read();
      const migrations = await this.migrations.read();
      const startedAt = this.clock.monotonicMs();
      await this.facts.ping();
      const roundTripMs = this.clock.monotonicMs() - startedAt;
      return { reachable: true, error: null, pool, migrations, serverVersion, sizeBytes, roundTripMs };
    } catch (error) {
      const unknown = { migrations: null, serverVersion: null, sizeBytes: null, roundTripMs: null };
      return { reachable: false, error: describeError(error), pool, ...unknown };
    }
  }
}
