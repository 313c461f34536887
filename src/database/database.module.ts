import { Global, Module, type DynamicModule } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { CONFIG, type Config } from '../config/environment';
import { Log } from '../logging/log';
import { createDataSource, type Entity } from './data-source';
import { Database } from './database';
import { DatabaseLocation } from './database-location';
import { LeaseStore } from './lease-store';
import { Heartbeat, type Build } from './heartbeat';
import { migrationsOf, MigrationState } from './migration-state';
import { NotificationListener } from './notification-listener';
import { ReplicaPresence } from './replica-presence';

@Global()
@Module({})
export class DatabaseModule {
  static at(location: DatabaseLocation, build: Build, entities: readonly Entity[]): DynamicModule {
    return {
      module: DatabaseModule,
      imports: [
        TypeOrmModule.forRootAsync({
          inject: [CONFIG],
          useFactory: (config: Config) => ({
            ...createDataSource(location.url, config.database.poolSize, { entities }).options,
            // The supervisor restarts the service: a failed start reports the error and ends.
            retryAttempts: 0,
          }),
        }),
      ],
      providers: [
        { provide: DatabaseLocation, useValue: location },
        Database,
        LeaseStore,
        MigrationState,
        NotificationListener,
        ReplicaPresence,
        {
          provide: Heartbeat,
          inject: [getDataSourceToken(), LeaseStore, Log],
          useFactory: (source: DataSource, { replica }: LeaseStore, log: Log) =>
            new Heartbeat(location, { replica, ...build, migrations: migrationsOf(source) }, log),
        },
      ],
      exports: [
        DatabaseLocation,
        Database,
        LeaseStore,
        MigrationState,
        NotificationListener,
        ReplicaPresence,
        Heartbeat,
      ],
    };
  }
}
