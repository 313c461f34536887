import { Global, Module, type DynamicModule } from '@nestjs/common';
import { Clock, SystemClock } from '../kernel/clock';
import { Log } from './log';

@Global()
@Module({})
export class LoggingModule {
  static with(log: Log): DynamicModule {
    return {
      module: LoggingModule,
      providers: [
        { provide: Log, useValue: log },
        { provide: Clock, useClass: SystemClock },
      ],
      exports: [Log, Clock],
    };
  }
}
