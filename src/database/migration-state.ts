import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, MigrationExecutor } from 'typeorm';

/** Whether the schema is the one this build expects. */
@Injectable()
export class MigrationState {
  private upToDate = false;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** Names of migrations that this build has and the database lacks. Asked until there are none, then remembered. */
  async pending(): Promise<string[]> {
    if (this.upToDate) return [];
    const pending = await new MigrationExecutor(this.dataSource).getPendingMigrations();
    this.upToDate = pending.length === 0;
    return pending.map(({ name }) => name);
  }
}
