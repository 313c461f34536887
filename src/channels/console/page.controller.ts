import { Controller, Get, Inject, NotFoundException, Param, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { consoleOriginOf } from '../../access/sessions/console-origin';
import { CONFIG, type Config } from '../../config/environment';
import { Allow } from '../../http/allow';
import { DomainError } from '../../kernel/errors';
import { readPageFiles, type PageFile } from './console-pages';

/** Nothing from another origin, nothing inline, and no text that becomes markup or script. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** The name of a file contains a digest of its content. */
const FOR_EVER = 'public, max-age=31536000, immutable';

/** Serves the page of the console. It needs no session: it asks the API, and shows the sign-in if that refuses. */
@ApiExcludeController()
@Controller('console')
@Allow('anyone')
export class PageController {
  private files: Promise<ReadonlyMap<string, PageFile>> | null = null;

  constructor(@Inject(CONFIG) private readonly config: Config) {}

  @Get('assets/:name')
  async asset(@Param('name') name: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    const file = (await this.read()).get(name);
    if (!file || name === 'index.html') throw new NotFoundException('The console has no such file.');
    this.send(file, request, reply.header('cache-control', FOR_EVER));
  }

  @Get()
  async index(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    if (consoleOriginOf(request, this.config) === null)
      throw new DomainError(
        'request.misdirected',
        'The console does not answer to this Host. Open it at CONSOLE_URL, or on this machine at localhost.',
      );
    const page = (await this.read()).get('index.html');
    if (!page)
      throw new NotFoundException(
        'The console is not built: run "npm run build" where the service is installed.',
      );
    void reply.header('content-security-policy', CONTENT_SECURITY_POLICY).header('cache-control', 'no-cache');
    this.send(page, request, reply);
  }

  /** The addresses of its views; the page itself finds the view. */
  @Get('*')
  view(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.index(request, reply);
  }

  /** Reads once; again after a failure, since somebody may have built it meanwhile. */
  private read(): Promise<ReadonlyMap<string, PageFile>> {
    this.files ??= readPageFiles().then(
      (files) => {
        if (files.size === 0) this.files = null;
        return files;
      },
      (error: unknown) => {
        this.files = null;
        throw error;
      },
    );
    return this.files;
  }

  private send(file: PageFile, { headers }: FastifyRequest, reply: FastifyReply): void {
    void reply.header('etag', file.etag).header('vary', 'accept-encoding');
    if (headers['if-none-match'] === file.etag) return void reply.status(304).send();
    const isCompressed = /\bgzip\b/.test(headers['accept-encoding'] ?? '');
    if (isCompressed) void reply.header('content-encoding', 'gzip');
    void reply.type(file.type).send(isCompressed ? file.gzipped : file.plain);
  }
}
