import { Controller, Get, UseFilters } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  HealthCheck,
  HealthCheckService,
  HealthIndicatorService,
  type HealthCheckResult,
  type HealthIndicatorResult,
} from '@nestjs/terminus';
import { TimeoutSweeper } from '../../approvals/timeout-sweeper';
import { Heartbeat } from '../../database/heartbeat';
import { Allow } from '../../http/allow';
import { TelegramStatus } from '../../channels/telegram/telegram-status';
import { Departure } from './departure';
import { HealthFilter } from './health.filter';

/** Health checks: `live` checks no dependency, `ready` what traffic needs, `/health` everything that operators need. */
@ApiTags('health')
@Controller('health')
@UseFilters(HealthFilter)
@Allow('anyone')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicator: HealthIndicatorService,
    private readonly heartbeat: Heartbeat,
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
    return this.health.check([() => this.serving(), () => this.databaseServes(), () => this.migrated()]);
  }

  @Get()
  @HealthCheck({ swaggerDocumentation: false })
  all(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.databaseServes(),
      () => this.migrated(),
      () => this.sweeping(),
      () => this.reachingOperators(),
    ]);
  }

  private serving(): HealthIndicatorResult {
    const check = this.indicator.check('serving');
    return this.departure.announced ? check.down({ reason: 'shutting down' }) : check.up();
  }

  /** Answers from memory: a health check must not wait for the database that it reports on. */
  private databaseServes(): HealthIndicatorResult {
    const check = this.indicator.check('database');
    const reason = this.heartbeat.downBecause;
    return reason === null ? check.up() : check.down({ reason });
  }

  private migrated(): HealthIndicatorResult {
    const check = this.indicator.check('migrations');
    const { schema } = this.heartbeat;
    if (schema === null) return check.down({ reason: 'the database did not say which migrations it has' });
    const { pending, unknown } = schema;
    if (pending.length > 0) return check.down({ reason: 'the schema is older than this version', pending });
    return unknown.length === 0 ? check.up() : check.up({ unknown });
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
