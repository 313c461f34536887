import { Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { Allow } from '../http/allow';
import { refuseAnyQuery } from '../http/zod';
import { dataOf } from './audit-chain';
import {
  auditFoundSchema,
  auditPageSchema,
  checkpointSchema,
  checkpointsSchema,
  sealedPageSchema,
  verifiedSchema,
} from './audit-views';
import { ExportCheckpointCommand } from './commands/export-checkpoint';
import { AuditPageQuery } from './queries/audit-page';
import { CheckpointsQuery } from './queries/checkpoints';
import { SearchAuditQuery } from './queries/search-audit';
import { SealedPageQuery } from './queries/sealed-page';
import type { AuditRow } from './seal';
import { VerifyAuditQuery } from './queries/verify-audit';

const MAX_LIMIT = 1000;

const limit = z
  .string()
  .regex(/^\d{1,4}$/, `must be a whole number from 1 to ${MAX_LIMIT}`)
  .transform(Number)
  .refine((value) => value >= 1 && value <= MAX_LIMIT, `must be from 1 to ${MAX_LIMIT}`)
  .default(100);

class AuditQueryDto extends createZodDto(
  z.strictObject({
    after: z
      .string()
      .regex(/^\d{1,15}$/, 'must be a whole number')
      .transform(Number)
      .default(0),
    limit,
  }),
) {}

const text = z
  .string()
  .min(1, 'must not be empty')
  .max(200, 'must have at most 200 characters')
  .refine((value) => !value.includes('\0'), 'must not hold U+0000');

class SearchQueryDto extends createZodDto(
  z.strictObject({
    before: z
      .string()
      .regex(/^\d{1,15}$/, 'must be a whole number')
      .transform(Number)
      .optional(),
    type: text
      .optional()
      .meta({ description: 'A type such as approval.approved, or its beginning such as approval.' }),
    actor: text.optional().meta({ description: 'For example telegram:1000 or api:NAME of a key.' }),
    approvalId: z.guid('must be a UUID').optional(),
    limit,
  }),
) {}

class AuditFoundView extends createZodDto(auditFoundSchema) {}
class AuditPageView extends createZodDto(auditPageSchema) {}
class SealedPageView extends createZodDto(sealedPageSchema) {}
class VerifiedView extends createZodDto(verifiedSchema) {}
class CheckpointView extends createZodDto(checkpointSchema) {}
class CheckpointsView extends createZodDto(checkpointsSchema) {}

const viewOf = (row: AuditRow & { readonly hash: string | null }) => ({ ...row, data: dataOf(row) });

@ApiTags('audit')
@ApiBearerAuth()
@Controller('api/audit')
@Allow('operator')
export class AuditController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @ApiOperation({ summary: 'The audit log, oldest first; `hash` is null until the row is sealed' })
  @ApiOkResponse({ type: AuditPageView })
  async page(@Query() { after, limit }: AuditQueryDto) {
    const rows = await this.queries.execute(new AuditPageQuery(after, limit));
    return { items: rows.map(viewOf), nextAfter: rows.length === limit ? (rows.at(-1)?.seq ?? null) : null };
  }

  @Get('search')
  @ApiOperation({
    summary: 'Rows that match, the newest first',
    description: 'A page looks through at most 20 000 rows, unless `approvalId` is given.',
  })
  @ApiOkResponse({ type: AuditFoundView })
  async search(@Query() { before, type, actor, approvalId, limit: rows }: SearchQueryDto) {
    const search = {
      ...{ beforeSeq: before ?? null, limit: rows },
      ...{ type: type ?? null, actor: actor ?? null, approvalId: approvalId ?? null },
    };
    const { items, nextBefore } = await this.queries.execute(new SearchAuditQuery(search));
    return { items: items.map(viewOf), nextBefore };
  }

  @Get('verify')
  @ApiOperation({ summary: 'Whether the log is as it was sealed; reads all of it' })
  @ApiOkResponse({ type: VerifiedView })
  verify(@Query() query: unknown) {
    refuseAnyQuery(query);
    return this.queries.execute(new VerifyAuditQuery());
  }

  @Get('sealed')
  @ApiOperation({ summary: 'The chain of seals with their rows, in its order: what verifies offline' })
  @ApiOkResponse({ type: SealedPageView })
  sealed(@Query() { after, limit }: AuditQueryDto) {
    return this.queries.execute(new SealedPageQuery(after, limit));
  }

  @Get('checkpoints')
  @ApiOperation({ summary: 'Every exported checkpoint, as far as this replica has it' })
  @ApiOkResponse({ type: CheckpointsView })
  async checkpoints(@Query() query: unknown) {
    refuseAnyQuery(query);
    return { checkpoints: await this.queries.execute(new CheckpointsQuery()) };
  }

  @Post('checkpoints')
  @HttpCode(200)
  @ApiOperation({ summary: 'Export a signed checkpoint now; the newest one, null while nothing is sealed' })
  @ApiOkResponse({ type: CheckpointView })
  async checkpoint() {
    return { checkpoint: await this.commands.execute(new ExportCheckpointCommand()) };
  }
}
