import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  MethodNotAllowedException,
  Post,
  Req,
  Res,
} from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiExcludeEndpoint,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Identity } from '../../access/identity';
import { Caller } from '../../access/access.guard';
import { Allow } from '../../http/allow';
import { BODY_OPTIONAL, LARGE_BODY } from '../../access/body-parser';
import { McpEndpoint } from './mcp-endpoint';

@ApiTags('connectors')
@ApiBearerAuth()
@Controller('connectors/mcp')
export class McpController {
  constructor(private readonly endpoint: McpEndpoint) {}

  @Post()
  @HttpCode(200)
  @Allow('agent')
  @RouteConfig(LARGE_BODY)
  @ApiOperation({ summary: 'MCP over Streamable HTTP, with the tools approve, request_approval and gate' })
  @ApiBody({ schema: { type: 'object', additionalProperties: true }, description: 'A JSON-RPC message' })
  @ApiOkResponse({ content: { 'text/event-stream': { schema: { type: 'string' } } } })
  async post(
    @Req() request: FastifyRequest,
    @Body() body: unknown,
    @Caller() caller: Identity,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.endpoint.serve(request, reply, body, caller);
  }

  /** Refuses with 405: the protocol makes a stream of the server and the end of a session optional. */
  @Get()
  @Allow('agent')
  @ApiExcludeEndpoint()
  stream(): never {
    throw new MethodNotAllowedException('This server sends nothing unasked; POST every message.');
  }

  @Delete()
  @Allow('agent')
  @RouteConfig(BODY_OPTIONAL)
  @ApiExcludeEndpoint()
  end(): never {
    throw new MethodNotAllowedException('A session here holds nothing that could be ended.');
  }
}
