import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { SigningKey } from './signing-key';

/**
 * The file `DATA_DIR/signing-key.pem`, readable only by the service's user. Services with the same `DATA_DIR` share it.
 */
export class SigningKeyFile {
  readonly path: string;

  constructor(dataDir: string) {
    this.path = resolve(join(dataDir, 'signing-key.pem'));
  }

  /**
   * Reads the stored key; null when there is none.
   *
   * @throws Error naming the file, without any of its content.
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

  /** Makes a new key; returns the key of another service that was faster. */
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

  /** Replaces the key with a new one. */
  async replace(): Promise<SigningKey> {
    this.write((unfinished) => renameSync(unfinished, this.path));
    return this.written();
  }

  private async written(): Promise<SigningKey> {
    const key = await this.read();
    if (!key) throw new Error(`${this.path}: was removed while it was made`);
    return key;
  }

  /** Writes the file with mode 0600 under another name, and puts it in place only when it is complete. */
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
