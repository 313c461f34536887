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

/** Compares the schema of the database with the one of this build; migrations by name, oldest first. */
export interface SchemaState {
  readonly applied: readonly string[];
  /** Migrations that this build needs and the database lacks: it cannot serve. */
  readonly pending: readonly string[];
  /** Migrations of a newer version, unknown to this build. Newer versions keep the schema that this build uses. */
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

/** Reads only. @throws DomainError `database.unavailable`. */
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

/** Compares this build with the current schema. Neighbouring versions share one schema during a rolling upgrade. */
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

  /** Reads anew each time: another version may migrate, or a backup may be restored, while this replica runs. */
  read(): Promise<SchemaState> {
    return readSchemaState(this.database, this.known);
  }
}
