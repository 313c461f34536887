import type { ServerResponse } from 'node:http';
import { HttpException } from '@nestjs/common';
import { DomainError } from '../kernel/errors';

const KIB = 1024;
const MIB = 1024 * KIB;
/** What all bodies together may hold in memory, from their first byte until their call is answered. */
const MAX_OPEN_BYTES = 64 * MIB;
/** The part of one key, or of all callers without one, so that the others have room beside it. */
const SHARE_OF_ONE = 0.5;

/** Rounded up, so that what is too large never looks like the limit: `481 KiB`, `4.1 MiB`. */
function sizeOf(bytes: number): string {
  return bytes < MIB ? `${Math.ceil(bytes / KIB)} KiB` : `${Math.ceil((bytes / MIB) * 10) / 10} MiB`;
}

/** The body is larger than its route takes. */
export class BodyTooLarge extends HttpException {
  /** @param bytes null: nothing is known but that it is more than the limit */
  constructor(limitBytes: number, bytes: number | null, advice: string) {
    const size = bytes === null ? `more than ${sizeOf(limitBytes)}` : sizeOf(bytes);
    super(`The body is ${size}; at most ${sizeOf(limitBytes)} is taken here. ${advice}`, 413);
  }
}

/** There is no room for a body now. */
export function noRoom(): DomainError {
  return new DomainError('request.no-room', 'Too many large requests are open now; try again shortly.');
}

/** One body, as far as it has come. */
export interface OpenBody {
  readonly sender: string;
  bytes: number;
  /** Ends its reading; null once it is complete. */
  cut: (() => void) | null;
}

/**
 * Counts the bodies that are in memory. When there is too much of them, the one that has been incomplete for longest is
 * cut off: active senders are done long before it would be their turn. When all are complete, the newest is refused.
 */
export class OpenBodies {
  private readonly incomplete = new Set<OpenBody>();
  private readonly bytesOf = new Map<string, number>();
  private total = 0;

  constructor(private readonly maxBytes = MAX_OPEN_BYTES) {}

  /** @param sender the key, or a word for all who have none */
  open(sender: string, answer: ServerResponse): OpenBody {
    const body: OpenBody = { sender, bytes: 0, cut: null };
    this.incomplete.add(body);
    answer.once('close', () => this.close(body));
    return body;
  }

  /** Counts bytes that have arrived. @returns whether there was room for them */
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

  /** It is no longer in memory. */
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

  /** @param sender null: of anybody */
  private oldestIncomplete(sender: string | null): OpenBody | null {
    for (const body of this.incomplete)
      if (body.bytes > 0 && (sender === null || body.sender === sender)) return body;
    return null;
  }
}
