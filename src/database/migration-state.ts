import { Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Log } from '../logging/log';
import { Database, type Statement } from './database';

/** SQLSTATE: no migration ever ran here. */
const UNDEFINED_TABLE = '42P01';

const APPLIED: Statement = {
  name: 'migrations-applied',
  text: `select name::text from migrations order by id`,
};

/** The schema of the database against the one that this build brings; all by name, oldest first. */
export interface SchemaState {
  readonly applied: readonly string[];
  /** This build needs them and the database lacks them: it cannot serve. */
  readonly pending: readonly string[];
  /** The database has them and this build does not know them: a newer version was here. It had to leave us what we use. */
  readonly unknown: readonly string[];
}

async function appliedIn(database: Database, statement: Statement): Promise<string[]> {
  try {
    return (await database.query<{ name: string }>(statement, [])).map(({ name }) => name);
  } catch (error) {
    if ((error as { code?: unknown }).code === UNDEFINED_TABLE) return [];
    throw error;
  }
}

/** The migrations of this build, by name. */
export const migrationsOf = (source: DataSource): string[] =>
  source.migrations.map((each) => each.name ?? each.constructor.name);

/** Changes nothing. @throws DomainError `database.unavailable`. */
export async function readSchemaState(
  database: Database,
  known: readonly string[],
  withinMs?: number,
): Promise<SchemaState> {
  const applied = await appliedIn(database, withinMs === undefined ? APPLIED : { ...APPLIED, withinMs });
  return {
    applied,
    pending: known.filter((name) => !applied.includes(name)),
    unknown: applied.filter((name) => !known.includes(name)),
  };
}

/** Whether this build can work with the schema as it is now: neighbouring versions share it while one follows another. */
@Injectable()
export class MigrationState implements OnModuleInit {
  private readonly known: readonly string[];

  constructor(
    @InjectDataSource() dataSource: DataSource,
    private readonly database: Database,
    private readonly log: Log,
  ) {
    this.known = migrationsOf(dataSource);
  }

  async onModuleInit(): Promise<void> {
    const { unknown } = await this.read();
    if (unknown.length === 0) return;
    this.log.event(
      'warn',
      'database.schema-newer',
      { migrations: unknown },
      'a newer version has migrated this database; this one goes on with what both know',
    );
  }

  /** Asked anew each time: another version migrates, or a backup is restored, while this replica runs. */
  read(): Promise<SchemaState> {
    return readSchemaState(this.database, this.known);
  }
}
