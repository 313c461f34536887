import { existsSync } from 'node:fs';
import { Global, Module, type DynamicModule } from '@nestjs/common';
import { CONFIG, parseConfig, type Config } from './environment';

/** Reads `.env` and the environment. `.env` is for development, and variables that are already set win. */
export function loadConfig(): Config {
  if (process.env.NODE_ENV !== 'production' && existsSync('.env')) process.loadEnvFile('.env');
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
