import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { SigningKey } from './signing-key';

/** `DATA_DIR/signing-key.pem`, readable by the service's user only; services that share a `DATA_DIR` share it. */
export class SigningKeyFile {
  readonly path: string;

  constructor(dataDir: string) {
    this.path = resolve(join(dataDir, 'signing-key.pem'));
  }

  /**
   * The key that is kept here; null when there is none.
   *
   * @throws Error naming the file, and nothing of what is in it.
   */
  async read(): Promise<SigningKey | null> {
    let pem: string;
    try {
      pem = readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw new Error(`${this.path}: cannot be read`, { cause: error });
    }
    try {
      return await SigningKey.from(pem);
    } catch (error) {
      throw new Error(`${this.path}: remove it to have a new one made`, { cause: error });
    }
  }

  /** A new key; or, where another service was faster, the one that was made. */
  async make(): Promise<SigningKey> {
    this.write((unfinished) => {
      try {
        linkSync(unfinished, this.path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      rmSync(unfinished);
    });
    return this.written();
  }

  /** A new key in the place of the one that is there. */
  async replace(): Promise<SigningKey> {
    this.write((unfinished) => renameSync(unfinished, this.path));
    return this.written();
  }

  private async written(): Promise<SigningKey> {
    const key = await this.read();
    if (!key) throw new Error(`${this.path}: was removed while it was made`);
    return key;
  }

  /** Never half written, never readable by others, in its place only when complete. */
  private write(putInPlace: (unfinished: string) => void): void {
    const unfinished = `${this.path}.${randomBytes(4).toString('hex')}`;
    try {
      mkdirSync(dirname(this.path), { recursive: true });
      writeFileSync(unfinished, SigningKey.generate(), { mode: 0o600, flag: 'wx' });
      putInPlace(unfinished);
    } catch (error) {
      throw new Error(`${this.path}: cannot be written; make DATA_DIR writable or set APPROVAL_SIGNING_KEY`, {
        cause: error,
      });
    }
  }
}
