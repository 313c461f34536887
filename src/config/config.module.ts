import { existsSync } from 'node:fs';
import { Global, Module, type DynamicModule } from '@nestjs/common';
import { isCheckout } from '../kernel/build';
import { CONFIG, parseConfig, type Config } from './environment';

/**
 * Reads `.env` and the environment. `.env` is for development in a checkout, and variables that are already set win.
 * An installed package runs in any directory, and its `.env` may be that of another program.
 */
export function loadConfig(): Config {
  if (isCheckout() && process.env.NODE_ENV !== 'production' && existsSync('.env'))
    process.loadEnvFile('.env');
  return parseConfig(process.env, process.stdout.isTTY);
}

@Global()
@Module({})
export class ConfigModule {
  static with(config: Config): DynamicModule {
    return {
      module: ConfigModule,
      providers: [{ provide: CONFIG, useValue: config }],
      exports: [CONFIG],
    };
  }
}
