import { Controller, Get, Header, Headers, Res } from '@nestjs/common';
import { ApiNotFoundResponse, ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { Allow } from '../../http/allow';
import { BUILD } from '../../kernel/build';
import { readAgentFile, type AgentFile } from './agent-file';

class ManifestView extends createZodDto(
  z.strictObject({ version: z.string(), file: z.string(), sha256: z.string(), bytes: z.int() }),
) {}

const NAME = 'countersign-agent.cjs';

@ApiTags('agents')
@Controller('agent')
@Allow('anyone')
@ApiNotFoundResponse({ description: 'The program is not built' })
export class AgentFileController {
  /** Read once, so that digest and content always belong together. */
  private read: AgentFile | null = null;

  private get program(): AgentFile {
    return (this.read ??= readAgentFile());
  }

  @Get('manifest.json')
  @Header('cache-control', 'no-cache')
  @ApiOperation({ summary: 'Version, size and SHA-256 of the program for an agent’s machine' })
  @ApiOkResponse({ type: ManifestView })
  manifest() {
    const { content, sha256 } = this.program;
    return { version: BUILD.version, file: `/agent/${NAME}`, sha256, bytes: content.length };
  }

  @Get(NAME)
  // Its address stays when its content changes: a cache asks, and keeps what it has while the digest is the same.
  @Header('cache-control', 'no-cache')
  @ApiOperation({ summary: 'The program for an agent’s machine: one file for Node.js' })
  @ApiProduces('text/javascript')
  @ApiOkResponse({ schema: { type: 'string' } })
  file(@Headers('if-none-match') known: string | undefined, @Res() reply: FastifyReply): void {
    const { content, sha256 } = this.program;
    void reply.header('etag', `"${sha256}"`);
    if (known?.includes(sha256) === true) void reply.status(304).send();
    else void reply.header('content-type', 'text/javascript; charset=utf-8').send(content);
  }
}
