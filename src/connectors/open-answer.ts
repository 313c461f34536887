import type { FastifyReply } from 'fastify';
import { answerTaken, hijack } from '../http/hijack';
import type { Heartbeats } from '../http/heartbeats';
import type { UnreadAnswers } from '../http/unread-answers';

/**
 * A JSON answer whose headers are sent at once, and white space from time to time until it is known: JSON allows it
 * before a value, proxies keep the connection open for it, and a caller that left is noticed.
 */
export class OpenAnswer {
  private readonly raw: FastifyReply['raw'];
  private readonly stopBeating: () => void;

  constructor(
    reply: FastifyReply,
    heartbeats: Heartbeats,
    private readonly unread: UnreadAnswers,
  ) {
    const raw = hijack(reply, {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    this.raw = raw;
    this.stopBeating = heartbeats.start(() => raw.write(' '));
  }

  /** @returns whether the caller was still there to take it. */
  end(body: object): Promise<boolean> {
    this.stopBeating();
    const taken = answerTaken(this.raw);
    this.unread.end(this.raw, JSON.stringify(body));
    return taken;
  }
}
