import type { ServerResponse } from 'node:http';
import { HttpException } from '@nestjs/common';
import { DomainError } from '../kernel/errors';

const KIB = 1024;
const MIB = 1024 * KIB;
/** Maximum memory of all bodies together, from their first byte until their call is answered or its request stored. */
const MAX_OPEN_BYTES = 64 * MIB;
/** Maximum part of one key, or of all callers without a key, so that others have room. */
const SHARE_OF_ONE = 0.5;

/** Formats a size, rounded up, so that a size above the limit never reads like the limit: `481 KiB`, `4.1 MiB`. */
function sizeOf(bytes: number): string {
  return bytes < MIB ? `${Math.ceil(bytes / KIB)} KiB` : `${Math.ceil((bytes / MIB) * 10) / 10} MiB`;
}

/** The body exceeds the limit of its route. */
export class BodyTooLarge extends HttpException {
  /** @param bytes null: unknown, but above the limit */
  constructor(limitBytes: number, bytes: number | null, advice: string) {
    const size = bytes === null ? `more than ${sizeOf(limitBytes)}` : sizeOf(bytes);
    super(`The body is ${size}; at most ${sizeOf(limitBytes)} is taken here. ${advice}`, 413);
  }
}

/** Too many bodies are in memory now. */
export function noRoom(): DomainError {
  return new DomainError('request.no-room', 'Too many large requests are open now; try again shortly.');
}

/** One body, possibly incomplete. */
export interface OpenBody {
  readonly sender: string;
  bytes: number;
  /** Aborts reading it; null once it is complete. */
  cut: (() => void) | null;
}

/**
 * Counts the bodies in memory. When they exceed the limit, evicts the one that has been incomplete for longest: active
 * senders are never evicted. When all are complete, refuses the newest.
 */
export class OpenBodies {
  private readonly incomplete = new Set<OpenBody>();
  private readonly bytesOf = new Map<string, number>();
  private readonly bodyOf = new WeakMap<ServerResponse, OpenBody>();
  private total = 0;

  constructor(private readonly maxBytes = MAX_OPEN_BYTES) {}

  /** @param sender the key, or one name for all callers without a key */
  open(sender: string, answer: ServerResponse): OpenBody {
    const body: OpenBody = { sender, bytes: 0, cut: null };
    this.incomplete.add(body);
    this.bodyOf.set(answer, body);
    answer.once('close', () => this.close(body));
    return body;
  }

  /** Counts bytes that have arrived. @returns true if there was room for them */
  grow(body: OpenBody, bytes: number): boolean {
    this.count(body, bytes);
    for (;;) {
      const isFull = this.total > this.maxBytes;
      const share = this.bytesOf.get(body.sender) ?? 0;
      if (!isFull && share <= this.maxBytes * SHARE_OF_ONE) return true;
      const oldest = this.oldestIncomplete(isFull ? null : body.sender);
      if (!oldest) return false;
      const { cut } = oldest;
      this.close(oldest);
      cut?.();
    }
  }

  complete(body: OpenBody): void {
    body.cut = null;
    this.incomplete.delete(body);
  }

  /** Releases the body of a call that goes on without it. */
  release(answer: ServerResponse): void {
    const body = this.bodyOf.get(answer);
    if (body) this.close(body);
  }

  /** Releases the memory of the body. */
  close(body: OpenBody): void {
    this.complete(body);
    this.count(body, -body.bytes);
  }

  private count(body: OpenBody, bytes: number): void {
    body.bytes += bytes;
    this.total += bytes;
    const left = (this.bytesOf.get(body.sender) ?? 0) + bytes;
    if (left > 0) this.bytesOf.set(body.sender, left);
    else this.bytesOf.delete(body.sender);
  }

  /** @param sender null: any sender */
  private oldestIncomplete(sender: string | null): OpenBody | null {
    for (const body of this.incomplete)
      if (body.bytes > 0 && (sender === null || body.sender === sender)) return body;
    return null;
  }
}
