import type { FastifyReply } from 'fastify';
import { answerTaken, hijack } from '../http/hijack';
import type { Heartbeats } from '../http/heartbeats';
import type { UnreadAnswers } from '../http/unread-answers';

/**
 * A JSON answer that sends its headers at once, then white space periodically until the result is known. JSON allows
 * white space before a value; it keeps proxies from closing the connection and reveals a caller that has left.
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

  /** @returns true if the caller was still connected when the answer was sent. */
  end(body: object): Promise<boolean> {
    this.stopBeating();
    const taken = answerTaken(this.raw);
    this.unread.end(this.raw, JSON.stringify(body));
    return taken;
  }
}
