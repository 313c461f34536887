import { Controller, Get } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { Allow } from '../http/allow';
import { ListPeopleQuery } from './queries/list-people';

export class PeopleView extends createZodDto(
  z.strictObject({
    items: z.array(
      z.strictObject({
        name: z.string(),
        groups: z.array(z.string()),
        hasTelegram: z.boolean().meta({ description: 'The policy names a Telegram id.' }),
        hasStarted: z
          .boolean()
          .meta({ description: 'They have started the bot: direct messages reach them.' }),
        passkeys: z.int().meta({ description: 'The number of passkeys that are not removed.' }),
        hasAccount: z.boolean().meta({ description: 'The policy names an account at the OpenID provider.' }),
        onDuty: z.array(z.string()).meta({ description: 'The rotas by which they are on duty now.' }),
      }),
    ),
  }),
) {}

@ApiTags('people')
@ApiBearerAuth()
@Controller('api/people')
export class PeopleController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @Allow('operator', 'admin')
  @ApiOperation({
    summary: 'The people of the active policy, and how each of them decides',
    description: 'By name. Empty: the policy names nobody. Names no account and no key.',
  })
  @ApiOkResponse({ type: PeopleView })
  async list() {
    return { items: await this.queries.execute(new ListPeopleQuery()) };
  }
}
