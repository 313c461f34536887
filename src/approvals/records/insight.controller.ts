import { Caller } from '../../access/access.guard';
import type { Identity } from '../../access/identity';
import { KeyTurns } from '../../access/key-turns';
import { Controller, Get, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { Allow } from '../../http/allow';
import { Clock } from '../../kernel/clock';
import { InvalidInput } from '../../kernel/errors';
import { nullableText } from '../../kernel/nullable-text';
import { ReadInsightQuery } from './queries/read-insight';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const DEFAULT_MS = 7 * DAY_MS;
const MAX_DAYS = 92;
/** Up to this length, the series has a point for every hour; beyond, for every day. */
const HOURLY_MS = 3 * DAY_MS;

const moment = z.iso
  .datetime({ offset: true, error: 'must be a time such as 2026-08-01T00:00:00Z' })
  .transform((text) => new Date(text))
  .optional();

class InsightQueryDto extends createZodDto(
  z.strictObject({
    from: moment.meta({ description: 'Rounded down to the hour; without it, 7 days before `to`.' }),
    to: moment.meta({ description: 'Without it, now.' }),
    by: z.enum(['tool', 'agent', 'person', 'rule'], 'must be tool, agent, person or rule').optional(),
  }),
) {}

const count = z.int();
const seconds = z.number().meta({ description: 'Exact to a tenth; null: no person decided.' }).nullable();
const outcomes = {
  approved: count,
  rejected: count,
  expired: count,
  cancelled: count,
  medianSeconds: seconds,
  p95Seconds: seconds,
};

class InsightView extends createZodDto(
  z.strictObject({
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    stepSeconds: count,
    series: z.array(z.strictObject({ at: z.iso.datetime(), ...outcomes })),
    total: z.strictObject(outcomes),
    answeredBy: z.strictObject({ rule: count, grant: count, person: count, nobody: count }),
    week: z
      .array(count)
      .meta({ description: 'Requests that ended in each hour of the week, in UTC, from Monday 0:00.' }),
    by: z
      .array(
        z.strictObject({
          name: nullableText('Null: all further names together.'),
          ...outcomes,
        }),
      )
      .nullable(),
  }),
) {}

@ApiTags('insight')
@ApiBearerAuth()
@Controller('api/insight')
@Allow('operator', 'observer')
export class InsightController {
  /** One at a time for a key: it counts up to a million rows. */
  private readonly turns = new KeyTurns('insight');

  constructor(
    private readonly queries: QueryBus,
    private readonly clock: Clock,
  ) {}

  @Get()
  @ApiOperation({
    summary:
      'Requests that ended in a time: by outcome, time to a decision, and by tool, agent, person or rule',
    description: `Counted by the hour in which they ended, three minutes after it at the latest. At most ${MAX_DAYS} days. A step without requests is left out.`,
  })
  @ApiOkResponse({ type: InsightView })
  async read(
    @Query() { from: wanted, to = this.clock.now(), by }: InsightQueryDto,
    @Caller() { keyId }: Identity,
  ) {
    const since = (wanted ?? new Date(to.getTime() - DEFAULT_MS)).getTime();
    const from = new Date(since - (since % HOUR_MS));
    const length = to.getTime() - from.getTime();
    if (length <= 0) throw new InvalidInput([{ path: 'from', message: 'must be before to' }]);
    if (length > MAX_DAYS * DAY_MS + HOUR_MS)
      throw new InvalidInput([{ path: 'from', message: `must be at most ${MAX_DAYS} days before to` }]);
    const stepSeconds = (length <= HOURLY_MS + HOUR_MS ? HOUR_MS : DAY_MS) / 1000;
    const { series, ...found } = await this.turns.take(keyId, () =>
      this.queries.execute(new ReadInsightQuery({ from, to, stepSeconds, by: by ?? null })),
    );
    return {
      from: from.toISOString(),
      to: to.toISOString(),
      stepSeconds,
      series: series.map(({ at, ...more }) => ({ at: at.toISOString(), ...more })),
      ...found,
    };
  }
}
