import { Body, Controller, Delete, Get, HttpCode, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { Caller } from '../../access/access.guard';
import { actorOf, type Identity } from '../../access/identity';
import { Allow } from '../../http/allow';
import { InvalidInput } from '../../kernel/errors';
import { ActivePolicy } from '../active-policy';
import type { Duty } from './duties';
import { EndOverrideCommand } from './end-override';
import { ListOnCallQuery } from './list-on-call';
import { OverrideRotaCommand } from './override-rota';

const instant = z.iso.datetime();

const dutySchema = z.strictObject({
  rota: z.string(),
  person: z.string().meta({ description: 'The person on duty now.' }),
  until: instant,
  next: z.string().meta({ description: 'The person after that.' }),
  zone: z.string().meta({ description: 'IANA name of the zone of the rota.' }),
  override: z.strictObject({ by: z.string(), at: instant }).nullable().meta({
    description: 'The one who put this person on duty, and the time; null: it is the turn of the rota.',
  }),
});

export class DutyView extends createZodDto(dutySchema) {}
export class OnCallView extends createZodDto(z.strictObject({ items: z.array(dutySchema) })) {}

export class OverrideBodyDto extends createZodDto(
  z
    .strictObject({
      rota: z.string().min(1, 'must not be empty').optional().meta({ description: 'Default: the only one.' }),
      person: z
        .string()
        .min(1, 'must not be empty')
        .meta({ description: 'A name of the policy’s `people`, or `me` for the owner of the key.' }),
      seconds: z
        .int('must be a whole number of seconds')
        .min(1, 'must be at least 1')
        .max(604_800, 'must be at most 604800: a week at most')
        .optional(),
      until: z.iso
        .datetime({ offset: true, error: 'must be a time such as 2026-11-30T18:00:00Z' })
        .optional(),
    })
    .refine(({ seconds, until }) => (seconds === undefined) !== (until === undefined), {
      path: ['until'],
      message: 'must be given, or `seconds`, and not both',
    }),
) {}

export class EndOverrideQueryDto extends createZodDto(
  z.strictObject({
    rota: z.string().min(1, 'must not be empty').optional().meta({ description: 'Default: the only one.' }),
  }),
) {}

@ApiTags('on-call')
@ApiBearerAuth()
@Controller('api/on-call')
export class OnCallController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly policy: ActivePolicy,
  ) {}

  @Get()
  @Allow('operator', 'admin')
  @ApiOperation({ summary: 'The people on duty now, by each rota of the active policy' })
  @ApiOkResponse({ type: OnCallView })
  async list() {
    return { items: (await this.queries.execute(new ListOnCallQuery())).map(viewOf) };
  }

  @Post()
  @HttpCode(200)
  @Allow('operator')
  @ApiOperation({ summary: 'Put a person on duty instead of the turn of the rota, for a week at most' })
  @ApiOkResponse({ type: DutyView })
  async override(@Body() body: OverrideBodyDto, @Caller() caller: Identity) {
    const { rota = null, person, seconds, until } = body;
    const end = until === undefined ? { afterMs: (seconds ?? 0) * 1000 } : { at: new Date(until) };
    const named = person === 'me' ? this.ownerOf(caller) : person;
    return viewOf(
      await this.commands.execute(new OverrideRotaCommand(actorOf(caller), { rota, person: named, end })),
    );
  }

  @Delete()
  @Allow('operator')
  @ApiOperation({ summary: 'End an override, so that the turn of the rota counts again' })
  @ApiOkResponse({ type: DutyView })
  async end(@Query() { rota }: EndOverrideQueryDto, @Caller() caller: Identity) {
    return viewOf(await this.commands.execute(new EndOverrideCommand(actorOf(caller), rota ?? null)));
  }

  private ownerOf({ owner }: Identity): string {
    const name = this.policy.people?.ofOwner(owner) ?? null;
    if (name !== null) return name;
    const message =
      'is nobody whom the policy names: the key has another owner. Write a name of its "people"';
    throw new InvalidInput([{ path: 'person', message }]);
  }
}

const viewOf = ({ until, override, ...duty }: Duty) => ({
  ...duty,
  until: until.toISOString(),
  override: override && { by: override.by, at: override.at.toISOString() },
});
