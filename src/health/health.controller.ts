import { Controller, Get, UseFilters } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  HealthCheck,
  HealthCheckService,
  HealthIndicatorService,
  TypeOrmHealthIndicator,
  type HealthCheckResult,
  type HealthIndicatorResult,
} from '@nestjs/terminus';
import { TimeoutSweeper } from '../approvals/timeout-sweeper';
import { MigrationState } from '../database/migration-state';
import { Allow } from '../http/access.guard';
import { TelegramStatus } from '../telegram/telegram-status';
import { Departure } from './departure';
import { HealthFilter } from './health.filter';

/** Twice this is the longest that an answer takes. */
const DATABASE_TIMEOUT_MS = 1_000;

/** For the orchestrator: `live` asks nothing of others, `ready` what traffic needs, the whole what people need. */
@ApiTags('health')
@Controller('health')
@UseFilters(HealthFilter)
@Allow('anyone')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicator: HealthIndicatorService,
    private readonly database: TypeOrmHealthIndicator,
    private readonly migrations: MigrationState,
    private readonly sweeper: TimeoutSweeper,
    private readonly telegram: TelegramStatus,
    private readonly departure: Departure,
  ) {}

  @Get('live')
  @HealthCheck({ swaggerDocumentation: false })
  live(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  @Get('ready')
  @HealthCheck({ swaggerDocumentation: false })
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.serving(), () => this.databaseAnswers(), () => this.migrated()]);
  }

  @Get()
  @HealthCheck({ swaggerDocumentation: false })
  all(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.databaseAnswers(),
      () => this.migrated(),
      () => this.sweeping(),
      () => this.reachingOperators(),
    ]);
  }

  private serving(): HealthIndicatorResult {
    const check = this.indicator.check('serving');
    return this.departure.announced ? check.down({ reason: 'shutting down' }) : check.up();
  }

  /**
   * Asked once more before it is called away: after a fail-over the pool still holds connections that are dead, and
   * finds out when it uses them. How many refusals make an outage is the orchestrator's to count.
   */
  private async databaseAnswers(): Promise<HealthIndicatorResult> {
    const first = await this.ping();
    return first.database.status === 'up' ? first : this.ping();
  }

  private ping(): Promise<HealthIndicatorResult<'database'>> {
    return this.database.pingCheck('database', { timeout: DATABASE_TIMEOUT_MS });
  }

  private async migrated(): Promise<HealthIndicatorResult> {
    const check = this.indicator.check('migrations');
    try {
      const { pending, unknown } = await this.migrations.read();
      if (pending.length > 0) return check.down({ reason: 'the schema is older than this version', pending });
      return unknown.length === 0 ? check.up() : check.up({ unknown });
    } catch {
      // Terminus takes a rejection for a fault of ours and answers 500.
      return check.down({ reason: 'the database did not say which migrations it has' });
    }
  }

  private sweeping(): HealthIndicatorResult {
    const { healthy, lagSeconds } = this.sweeper.health();
    const check = this.indicator.check('sweeper');
    return healthy
      ? check.up()
      : check.up({ degraded: true, reason: `no sweep has succeeded for ${Math.round(lagSeconds)} s` });
  }

  private reachingOperators(): HealthIndicatorResult {
    const { enabled, degradedBecause } = this.telegram.health;
    const check = this.indicator.check('telegram');
    if (!enabled) return check.up({ enabled });
    return degradedBecause === null
      ? check.up({ enabled })
      : check.up({ enabled, degraded: true, reason: degradedBecause });
  }
}
