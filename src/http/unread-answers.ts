import type { ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { Log } from '../logging/log';

/** What all answers together may hold in memory for callers that have not read them. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;
/** Less fits into the buffers of the operating system, whether it is read or not. */
const COUNTED_FROM_BYTES = 16 * 1024;

interface Unread {
  readonly answer: ServerResponse;
  readonly bytes: number;
  readonly release: () => void;
}

/**
 * A caller that reads nothing makes us keep its answer, and can open a thousand of them. So beyond a bound the answer
 * that has been unread for longest is cut off: who reads is done long before it would be its turn, and who was merely
 * slow asks again.
 */
@Injectable()
export class UnreadAnswers {
  private readonly oldestFirst = new Set<Unread>();
  private bytes = 0;

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly log: Log,
  ) {}

  /** Counts what Fastify sends in one piece. Must be called before routes are registered. */
  attach(): void {
    this.host.httpAdapter
      .getInstance<FastifyInstance>()
      .addHook('onSend', (_request, reply, payload, done) => {
        if (typeof payload === 'string' && payload.length >= COUNTED_FROM_BYTES)
          reply.raw.once('finish', this.hold(reply.raw, payload));
        done(null, payload);
      });
  }

  /** A piece of an answer that is written piece by piece. */
  write(answer: ServerResponse, piece: string): void {
    if (piece.length < COUNTED_FROM_BYTES) answer.write(piece);
    else answer.write(piece, this.hold(answer, piece));
  }

  /** The last piece of such an answer. */
  end(answer: ServerResponse, piece: string): void {
    this.write(answer, piece);
    answer.end();
  }

  /**
   * Counts a piece that somebody else writes.
   *
   * @returns what is to be called once it has left for the network; that the connection closed is noticed here
   */
  hold(answer: ServerResponse, text: string): () => void {
    if (text.length < COUNTED_FROM_BYTES) return () => undefined;
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
