import { Global, Module } from '@nestjs/common';
import { TelegramStatus } from './telegram-status';

@Global()
@Module({ providers: [TelegramStatus], exports: [TelegramStatus] })
export class TelegramModule {}
