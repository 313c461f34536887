import { Transform } from 'node:stream';
import { finished } from 'node:stream/promises';
import { MemberSpotter } from './member-spotter';
import { TELLING, type SpottedBody } from './refused-calls';

/** The bytes of a body on their way to where they are parsed, looked at as they pass. */
export class PassingBody extends Transform {
  private readonly spotter = new MemberSpotter(TELLING);

  override _transform(bytes: Buffer, _encoding: string, done: (error: null, bytes: Buffer) => void): void {
    this.spotter.take(bytes);
    done(null, bytes);
  }

  /** Lets what is left pass, as far as it comes, to nobody. */
  async spotted(): Promise<SpottedBody> {
    this.resume();
    await finished(this).catch(() => undefined);
    return this.spotter.end();
  }
}
