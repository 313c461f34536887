import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { Identity } from '../access/identity';
import { hijack } from '../http/hijack';
import { describeError } from '../kernel/describe-error';
import { DomainError } from '../kernel/errors';
import { Log } from '../logging/log';
import type { Approval } from './approval';
import type { ExportQueryDto, ListQueryDto } from './approval-inputs';
import { viewOf } from './approval-view';
import { CSV_HEAD, csvLine } from './csv';
import { FinishedApprovals } from './finished-approvals';
import type { ApprovalPage } from './queries/list-approvals';
import { readerOf } from '../access/viewer-of';

/** Requests of an export that are in memory at a time; a page also ends after about 2 MiB. */
const EXPORT_PAGE = 200;

type Filter = Omit<z.infer<typeof ListQueryDto.schema>, 'limit' | 'cursor'>;
interface Place {
  readonly beforeId: string | null;
  readonly limit: number;
}

const FORMATS = {
  jsonl: {
    type: 'application/x-ndjson; charset=utf-8',
    head: '',
    line: (approval: Approval) => `${JSON.stringify(viewOf(approval))}\n`,
  },
  csv: { type: 'text/csv; charset=utf-8', head: CSV_HEAD, line: csvLine },
} as const;

/** Reads pages of requests for an answer: an agent sees the requests of its own key, an operator those of their groups. */
@Injectable()
export class ApprovalPages {
  constructor(
    private readonly finished: FinishedApprovals,
    private readonly log: Log,
  ) {}

  /** @throws DomainError `access.forbidden` for an agent that searches; `receipt.unavailable`, `search.too-broad` */
  read(caller: Identity, filter: Filter, place: Place): Promise<ApprovalPage> {
    const { role, keyId } = caller;
    const { status = null, agentId = null, sessionId = null } = filter;
    const { q: text = null, tool = null, person = null, rule = null, from = null, to = null } = filter;
    const simple = { status, agentId, sessionId, ...place };
    const isSearch = [text, tool, person, rule, from, to].some((each) => each !== null);
    if (role === 'agent') {
      if (isSearch)
        throw new DomainError('access.forbidden', 'Only operators search: q, tool, person, rule, from, to.');
      return this.finished.list({ ...simple, keyId, connector: null });
    }
    const reader = readerOf(caller);
    if (!isSearch && agentId === null && sessionId === null && (status === null || status === 'pending'))
      return this.finished.list({ ...simple, reader, keyId: null, connector: null });
    return this.finished.search({ ...simple, reader, text, tool, person, rule, from, to });
  }

  /** Sends all pages, one after the other, as fast as the caller reads. A failure within cuts the answer off. */
  async export(
    { format, ...filter }: z.infer<typeof ExportQueryDto.schema>,
    caller: Identity,
    gone: AbortSignal,
    reply: FastifyReply,
  ): Promise<void> {
    const { type, head, line } = FORMATS[format];
    // Before anything is sent, so that a refusal is an answer of its own.
    const first = await this.read(caller, filter, { beforeId: null, limit: EXPORT_PAGE });
    const lines = this.lines(
      first,
      (beforeId) => this.read(caller, filter, { beforeId, limit: EXPORT_PAGE }),
      line,
    );
    const out = hijack(reply, {
      'content-type': type,
      'content-disposition': `attachment; filename="countersign-history.${format}"`,
      'cache-control': 'no-store',
    });
    out.write(head);
    await pipeline(Readable.from(lines, { objectMode: true, highWaterMark: 1 }), out, { signal: gone }).catch(
      () => out.destroy(),
    );
  }

  private async *lines(
    first: ApprovalPage,
    next: (beforeId: string) => Promise<ApprovalPage>,
    line: (approval: Approval) => string,
  ): AsyncGenerator<string> {
    try {
      for (let page = first; ;) {
        for (const approval of page.items) yield line(approval);
        if (page.nextBeforeId === null) return;
        page = await next(page.nextBeforeId);
      }
    } catch (error) {
      // Here and not at the pipeline, which fails also when the caller hangs up.
      this.log.event('warn', 'export.failed', { error: describeError(error) }, 'an export was cut off');
      throw error;
    }
  }
}
