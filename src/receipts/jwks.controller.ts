import { Controller, Get, Header } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { Allow } from '../http/allow';
import { publicKeySchema } from './key-set';
import { PublishedKeysQuery } from './queries/published-keys';
import { PUBLIC_BEFORE_USE_MS } from './signing-keys';

class KeySetView extends createZodDto(z.strictObject({ keys: z.array(publicKeySchema) })) {}

@ApiTags('receipts')
@Controller('.well-known/jwks.json')
export class JwksController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @Allow('anyone')
  @Header('content-type', 'application/jwk-set+json')
  @Header('cache-control', `public, max-age=${PUBLIC_BEFORE_USE_MS / 1000}`)
  @ApiOperation({
    summary: 'Public keys of the receipts and of the audit checkpoints, retired ones included',
  })
  @ApiOkResponse({ type: KeySetView })
  keys() {
    return this.queries.execute(new PublishedKeysQuery());
  }
}
