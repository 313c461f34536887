import { Controller, Delete, Get, Param, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { Allow } from '../http/allow';
import { ROLES } from '../http/role';
import { refuseAnyQuery } from '../http/zod';
import { nullableText } from '../kernel/nullable-text';
import { Caller } from './access.guard';
import { RevokeKeyCommand } from './commands/revoke-key';
import { ConsoleAdmins } from './console-admins';
import { actorOf, type Identity } from './identity';
import type { KeyRecord } from './api-key';
import { ListKeysQuery } from './queries/list-keys';

const moment = z.iso.datetime();

class KeyView extends createZodDto(
  z.strictObject({
    name: z.string(),
    role: z.enum(ROLES),
    owner: nullableText('Whose it is.'),
    createdAt: moment,
    lastUsedAt: moment.nullable().meta({ description: 'Accurate to some seconds; null: never used.' }),
    revokedAt: moment.nullable(),
  }),
) {}

class KeysView extends createZodDto(
  z.strictObject({
    items: z.array(KeyView.schema),
    mayRevoke: z.boolean().meta({ description: 'True if the caller may revoke keys.' }),
  }),
) {}

class NameParamDto extends createZodDto(
  z.strictObject({
    name: z
      .string()
      .max(100, 'must have at most 100 characters')
      .refine((value) => !value.includes('\0'), 'must not hold U+0000'),
  }),
) {}

const viewOf = ({ createdAt, lastUsedAt, revokedAt, name, role, owner }: KeyRecord) => ({
  name,
  role,
  owner,
  createdAt: createdAt.toISOString(),
  lastUsedAt: lastUsedAt?.toISOString() ?? null,
  revokedAt: revokedAt?.toISOString() ?? null,
});

/** Lists the API keys that were made with the command line, and revokes them. Nobody can read a key itself. */
@ApiTags('keys')
@ApiBearerAuth()
@Controller('api/keys')
export class KeysController {
  constructor(
    private readonly queries: QueryBus,
    private readonly commands: CommandBus,
    private readonly admins: ConsoleAdmins,
  ) {}

  @Get()
  @Allow('operator', 'admin')
  @ApiOperation({ summary: 'The API keys with their last use, also revoked ones; never a key itself' })
  @ApiOkResponse({ type: KeysView })
  async list(@Query() query: unknown, @Caller() caller: Identity) {
    refuseAnyQuery(query);
    const mayRevoke = caller.role === 'admin' || this.admins.includes(caller);
    const keys = await this.queries.execute(new ListKeysQuery());
    return { items: keys.map(viewOf), mayRevoke };
  }

  @Delete(':name')
  @Allow('admin')
  @ApiOperation({ summary: 'Revoke a key: within a second no replica accepts it' })
  @ApiOkResponse({ type: KeyView })
  async revoke(@Param() { name }: NameParamDto, @Caller() caller: Identity) {
    return viewOf(await this.commands.execute(new RevokeKeyCommand(name, actorOf(caller))));
  }
}
