import { Transform } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { SpottedBody } from './adapter';
import { MemberSpotter } from './member-spotter';
import { TELLING } from './refused-calls';

/** The bytes that are inspected of a body whose sender has no valid key: as many as are read of it. */
export const INSPECTED_OF_STRANGERS = 256 * 1024;

/** Passes the bytes of a body on to its parser and inspects them on the way. */
export class PassingBody extends Transform {
  private readonly spotter = new MemberSpotter(TELLING);
  private bytes = 0;
  private limit = Infinity;

  override _transform(bytes: Buffer, _encoding: string, done: (error: null, bytes: Buffer) => void): void {
    if (this.bytes < this.limit) this.spotter.take(bytes);
    this.bytes += bytes.length;
    done(null, bytes);
  }

  /**
   * Reads and discards the rest of the body, then returns the members that are found in its first `limit` bytes: to
   * inspect a byte takes a hundred times as long as to discard it.
   */
  async spotted(limit: number): Promise<SpottedBody> {
    this.limit = limit;
    this.resume();
    await finished(this).catch(() => undefined);
    return this.spotter.end();
  }
}
