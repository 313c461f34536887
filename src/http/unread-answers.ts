import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { Log } from '../logging/log';

/** Maximum memory of all answers that callers have not read. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;
/** Maximum part of one key, or of all callers without a key, so that others have room. */
const SHARE_OF_ONE = 0.5;
/** Maximum number of files that are being sent. Each takes a descriptor beside its connection. */
const MAX_OPEN_FILES = 64;
/** Smaller pieces fit into the buffers of the operating system. */
const COUNTED_FROM_BYTES = 16 * 1024;

interface Unread {
  readonly answer: ServerResponse;
  /** The key or session that was presented. Only answers without a secret are as large without a valid one. */
  readonly sender: string;
  readonly bytes: number;
  readonly release: () => void;
}

/**
 * Bounds the memory of unread answers. A caller that does not read keeps its answer in memory, and can open a thousand.
 * Above the limit, or the share of one caller, the answer that has been unread for longest is destroyed. Active readers
 * are never evicted, and a slow one retries. Files are bounded by their number, since they are read as they are sent.
 */
@Injectable()
export class UnreadAnswers {
  private readonly oldestFirst = new Set<Unread>();
  private readonly bytesOf = new Map<string, number>();
  private readonly files = new Set<ServerResponse>();
  private bytes = 0;

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly log: Log,
  ) {}

  /** Counts answers that Fastify sends in one piece. Call it before routes are registered. */
  attach(): void {
    this.host.httpAdapter
      .getInstance<FastifyInstance>()
      .addHook('onSend', (_request, reply, payload, done) => {
        if ((typeof payload === 'string' || Buffer.isBuffer(payload)) && payload.length >= COUNTED_FROM_BYTES)
          reply.raw.once('finish', this.hold(reply.raw, payload));
        else if (payload instanceof Readable) this.holdFile(reply.raw);
        done(null, payload);
      });
  }

  /** Writes a piece of an answer that is sent in pieces. */
  write(answer: ServerResponse, piece: string): void {
    if (piece.length < COUNTED_FROM_BYTES) answer.write(piece);
    else answer.write(piece, this.hold(answer, piece));
  }

  /** Writes the last piece of such an answer. */
  end(answer: ServerResponse, piece: string): void {
    this.write(answer, piece);
    answer.end();
  }

  /**
   * Counts a piece that other code writes.
   *
   * @returns a function to call once the piece is sent; a closed connection is handled here
   */
  hold(answer: ServerResponse, text: string | Buffer): () => void {
    // A caller that has gone closes no second time.
    if (text.length < COUNTED_FROM_BYTES || answer.destroyed) return () => undefined;
    const bytes = Buffer.byteLength(text);
    const sender = answer.req.headers.authorization ?? answer.req.headers.cookie ?? '';
    const release = () => {
      answer.off('close', release);
      if (this.oldestFirst.delete(unread)) this.count(unread, -bytes);
    };
    const unread: Unread = { answer, sender, bytes, release };
    answer.once('close', release);
    this.oldestFirst.add(unread);
    this.count(unread, bytes);
    this.makeRoom(sender);
    return release;
  }

  /** Counts a file that is sent as it is read. */
  holdFile(answer: ServerResponse): void {
    if (answer.destroyed) return;
    this.files.add(answer);
    answer.once('close', () => this.files.delete(answer));
    const [oldest] = this.files;
    if (!oldest || this.files.size <= MAX_OPEN_FILES) return;
    this.files.delete(oldest);
    this.cutOff(oldest, {});
  }

  private count({ sender }: Unread, bytes: number): void {
    this.bytes += bytes;
    const left = (this.bytesOf.get(sender) ?? 0) + bytes;
    if (left > 0) this.bytesOf.set(sender, left);
    else this.bytesOf.delete(sender);
  }

  private makeRoom(sender: string): void {
    const share = () => (this.bytesOf.get(sender) ?? 0) / SHARE_OF_ONE;
    // First the caller that takes too much loses answers, so that others need not.
    this.evict(
      (each) => each.sender === sender,
      () => share() > MAX_UNREAD_BYTES,
    );
    this.evict(
      () => true,
      () => this.bytes > MAX_UNREAD_BYTES,
    );
  }

  private evict(mayGo: (unread: Unread) => boolean, isFull: () => boolean): void {
    for (const each of this.oldestFirst) {
      if (!isFull()) return;
      if (!mayGo(each)) continue;
      each.release();
      this.cutOff(each.answer, { bytes: each.bytes });
    }
  }

  private cutOff(answer: ServerResponse, fields: object): void {
    answer.destroy();
    this.log.event('warn', 'http.unread', fields, 'an answer that its caller does not read was cut off');
  }
}
