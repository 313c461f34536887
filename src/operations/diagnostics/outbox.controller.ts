import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import type { Identity } from '../../access/identity';
import { Caller } from '../../access/access.guard';
import { Allow } from '../../http/allow';
import { nullableText } from '../../kernel/nullable-text';
import { CHANNEL, NO_TOPIC, parseLane } from '../../channels/telegram/lane';
import { SummarizePendingQuery } from '../../approvals/queries/summarize-pending';
import { ReplayDeadLettersCommand } from '../../outbox/commands/replay-dead-letters';
import { channelOf } from '../../outbox/lanes';
import { DeadLettersQuery } from '../../outbox/queries/dead-letters';
import { CountUnsentQuery } from '../../outbox/queries/count-unsent';

class OutboxView extends createZodDto(
  z.strictObject({
    pending: z.int(),
    nextExpiry: z.iso.datetime().nullable(),
    unsent: z.int(),
    dead: z.array(
      z.strictObject({
        id: z.string(),
        kind: z.enum(['card', 'outcome', 'warning', 'digest', 'notice']),
        approvalId: z.uuid().nullable(),
        chatId: z.string(),
        threadId: nullableText('Topic of a forum.'),
        attempts: z.int(),
        deadAt: z.iso.datetime(),
        error: z.string(),
      }),
    ),
  }),
) {}

class ReplayBodyDto extends createZodDto(
  z.strictObject({
    id: z
      .string()
      .regex(/^\d{1,18}$/, 'must be the id of a dead letter')
      .optional(),
  }),
) {}

class ReplayedView extends createZodDto(z.strictObject({ replayed: z.int() })) {}

@ApiTags('diagnostics')
@ApiBearerAuth()
@Controller('api/diagnostics/outbox')
export class OutboxController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Allow('operator', 'observer')
  @ApiOperation({ summary: 'What waits for Telegram, and what Telegram will never take' })
  @ApiOkResponse({ type: OutboxView })
  async outbox(): Promise<z.input<typeof OutboxView.schema>> {
    const { pending, nextExpiry } = await this.queries.execute(new SummarizePendingQuery());
    const unsent = await this.queries.execute(new CountUnsentQuery());
    const dead = await this.queries.execute(new DeadLettersQuery());
    return {
      pending,
      nextExpiry: nextExpiry?.toISOString() ?? null,
      unsent,
      dead: dead.map(({ id, kind, approvalId, lane, attempts, error, deadAt }) => {
        const { chatId, threadId } =
          channelOf(lane) === CHANNEL ? parseLane(lane) : { chatId: lane, threadId: NO_TOPIC };
        return {
          id,
          kind,
          approvalId,
          chatId,
          threadId: threadId === NO_TOPIC ? null : threadId,
          attempts,
          error,
          deadAt: deadAt.toISOString(),
        };
      }),
    };
  }

  @Post('replay')
  @HttpCode(200)
  @Allow('operator')
  @ApiOperation({ summary: 'Try one dead letter again, or all of them' })
  @ApiOkResponse({ type: ReplayedView })
  async replay(@Body() { id }: ReplayBodyDto, @Caller() caller: Identity): Promise<{ replayed: number }> {
    return { replayed: await this.commands.execute(new ReplayDeadLettersCommand(id ?? null, caller.keyId)) };
  }
}
