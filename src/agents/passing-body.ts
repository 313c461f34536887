import { Transform } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { SpottedBody } from './adapter';
import { MemberSpotter } from './member-spotter';
import { TELLING } from './refused-calls';

/** Passes the bytes of a body on to its parser and inspects them on the way. */
export class PassingBody extends Transform {
  private readonly spotter = new MemberSpotter(TELLING);

  override _transform(bytes: Buffer, _encoding: string, done: (error: null, bytes: Buffer) => void): void {
    this.spotter.take(bytes);
    done(null, bytes);
  }

  /** Reads and discards the rest of the body, then returns the found members. */
  async spotted(): Promise<SpottedBody> {
    this.resume();
    await finished(this).catch(() => undefined);
    return this.spotter.end();
  }
}
