import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Identity } from '../../access/identity';
import { Caller } from '../../access/access.guard';
import { Allow } from '../../http/allow';
import { BreakerReport } from './breaker-report';
import { DatabaseReport } from './database-report';
import {
  BreakerActionDto,
  CircuitBreakerView,
  DatabaseView,
  MetricsView,
  TelegramView,
} from './diagnostics-views';
import { MetricsReport } from './metrics-report';
import { TelegramReport } from './telegram-report';

/** Diagnostics of this replica, for the person on call. */
@ApiTags('operations')
@ApiBearerAuth()
@Controller('api/diagnostics')
@Allow('operator', 'observer')
export class DiagnosticsController {
  constructor(
    private readonly metrics: MetricsReport,
    private readonly database: DatabaseReport,
    private readonly telegram: TelegramReport,
    private readonly breaker: BreakerReport,
  ) {}

  @Get('metrics')
  @ApiOperation({ summary: 'The sixteen metrics, by category' })
  @ApiOkResponse({ type: MetricsView })
  readMetrics() {
    return this.metrics.read();
  }

  @Get('database')
  @ApiOperation({ summary: 'Pool, migrations, size and round trip; also while the database is away' })
  @ApiOkResponse({ type: DatabaseView })
  readDatabase() {
    return this.database.read();
  }

  @Get('telegram')
  @ApiOperation({ summary: 'Mode, poller, send budget and last error' })
  @ApiOkResponse({ type: TelegramView })
  readTelegram() {
    return this.telegram.read();
  }

  @Get('circuit-breaker')
  @ApiOperation({ summary: 'The circuit breaker before Telegram, on this replica' })
  @ApiOkResponse({ type: CircuitBreakerView })
  readBreaker() {
    return this.breaker.read();
  }

  @Post('circuit-breaker')
  @HttpCode(200)
  @Allow('operator')
  @ApiOperation({ summary: 'Open, close or reset it, on this replica' })
  @ApiOkResponse({ type: CircuitBreakerView })
  moveBreaker(@Body() { action }: BreakerActionDto, @Caller() caller: Identity) {
    return this.breaker.move(action, caller.keyId);
  }
}
