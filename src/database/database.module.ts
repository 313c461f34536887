import { Global, Module, type DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { CONFIG, type Config } from '../config/environment';
import { createDataSource } from './data-source';
import { Database } from './database';
import { DatabaseLocation } from './database-location';
import { LeaseStore } from './lease-store';
import { MigrationState } from './migration-state';
import { NotificationListener } from './notification-listener';
import { ReplicaPresence } from './replica-presence';

@Global()
@Module({})
export class DatabaseModule {
  static at(location: DatabaseLocation): DynamicModule {
    return {
      module: DatabaseModule,
      imports: [
        TypeOrmModule.forRootAsync({
          inject: [CONFIG],
          useFactory: (config: Config) => ({
            ...createDataSource(location.url, config.database.poolSize).options,
            // Trying again is the supervisor's business: a start that fails says so and ends.
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
      ],
      exports: [
        DatabaseLocation,
        Database,
        LeaseStore,
        MigrationState,
        NotificationListener,
        ReplicaPresence,
      ],
    };
  }
}
