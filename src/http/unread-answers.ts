import type { ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { Log } from '../logging/log';

/** Maximum memory of all answers that callers have not read. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;
/** Smaller pieces fit into the buffers of the operating system. */
const COUNTED_FROM_BYTES = 16 * 1024;

interface Unread {
  readonly answer: ServerResponse;
  readonly bytes: number;
  readonly release: () => void;
}

/**
 * Bounds the memory of unread answers. A caller that does not read keeps its answer in memory, and can open a thousand.
 * Above the limit, the answer that has been unread for longest is destroyed. Active readers are never evicted, and a
 * slow one retries.
 */
@Injectable()
export class UnreadAnswers {
  private readonly oldestFirst = new Set<Unread>();
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
        if (typeof payload === 'string' && payload.length >= COUNTED_FROM_BYTES)
          reply.raw.once('finish', this.hold(reply.raw, payload));
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
  hold(answer: ServerResponse, text: string): () => void {
    // A caller that has gone closes no second time.
    if (text.length < COUNTED_FROM_BYTES || answer.destroyed) return () => undefined;
    const bytes = Buffer.byteLength(text);
    const release = () => {
      answer.off('close', release);
      if (this.oldestFirst.delete(unread)) this.bytes -= bytes;
    };
    const unread: Unread = { answer, bytes, release };
    answer.once('close', release);
    this.oldestFirst.add(unread);
    this.bytes += bytes;
    this.makeRoom();
    return release;
  }

  private makeRoom(): void {
    for (const { answer, bytes, release } of this.oldestFirst) {
      if (this.bytes <= MAX_UNREAD_BYTES) return;
      release();
      answer.destroy();
      this.log.event('warn', 'http.unread', { bytes }, 'an answer that its caller does not read was cut off');
    }
  }
}
