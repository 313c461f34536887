import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  type Stats,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';

const record = z.object({
  version: z.literal(1),
  agent: z.string(),
  path: z.string(),
  /** Null: there was no file. */
  originalSha256: z.string().nullable(),
  /** Digest of the file as `connect` wrote it last; null if somebody else edited it between two times. */
  writtenSha256: z.string().nullable(),
  /** The topmost folder that was made for the file, or null. */
  madeFolder: z.string().nullable(),
});
type KeptRecord = z.infer<typeof record>;

export interface Undone {
  readonly agent: string;
  readonly path: string;
  /** Null: restored. Else the reason, and the next step. */
  readonly refused: string | null;
}

const OWNER_ONLY = 0o600;
/** Mode of a new file without a secret: managed settings are for every user. */
const FOR_EVERYBODY = 0o666;
const digestOf = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

/** The settings files that `connect` changed, as they were before, so that `--undo` restores them byte for byte. */
export class KeptOriginals {
  /** @param directory made when needed, readable by the owner only */
  constructor(private readonly directory: string) {}

  /**
   * Replaces a settings file atomically; keeps its bytes first. A symbolic link stays one.
   *
   * @param before the text that the change was made for; null for no file
   * @throws Error if the file has another text by now
   */
  replace(
    agent: string,
    path: string,
    { before, after: text }: { before: string | null; after: string },
  ): void {
    const target = existsSync(path) ? realpathSync(path) : path;
    const bytes = existsSync(target) ? readFileSync(target) : null;
    if ((bytes?.toString() ?? null) !== before)
      throw new Error(`${path} was changed meanwhile: run connect again`);
    const known = this.read(target);
    const madeFolder = mkdirSync(dirname(target), { recursive: true }) ?? known?.madeFolder ?? null;
    this.keep(known, { agent, path: target, bytes, text, madeFolder });
    writeWhole(target, text, bytes === null ? FOR_EVERYBODY : statSync(target));
  }

  /** Restores the files of these agents, or of all. A file that was changed since stays as it is. */
  undo(agents: readonly string[]): Undone[] {
    const chosen = this.all().filter(({ agent }) => agents.length === 0 || agents.includes(agent));
    const undone = chosen.map((each) => ({
      agent: each.agent,
      path: each.path,
      refused: this.restore(each),
    }));
    // The deepest first: a folder is empty once those in it are gone.
    const deepestFirst = chosen.toSorted((a, b) => dirname(b.path).length - dirname(a.path).length);
    for (const { path, madeFolder } of deepestFirst)
      if (madeFolder !== null) removeEmptyUpTo(madeFolder, dirname(path));
    for (const folder of [this.directory, dirname(this.directory)]) removeIfEmpty(folder);
    return undone;
  }

  private keep(
    known: KeptRecord | null,
    now: { agent: string; path: string; bytes: Buffer | null; text: string; madeFolder: string | null },
  ): void {
    const { agent, path, bytes, text, madeFolder } = now;
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    const found = bytes === null ? null : digestOf(bytes);
    if (known === null && bytes !== null) writeWhole(this.originalOf(path), bytes, OWNER_ONLY);
    const untouched = known === null || found === known.writtenSha256;
    const next: KeptRecord = {
      version: 1,
      agent,
      path,
      originalSha256: known === null ? found : known.originalSha256,
      writtenSha256: untouched ? digestOf(text) : null,
      madeFolder,
    };
    writeWhole(this.recordOf(path), `${JSON.stringify(next, null, 2)}\n`, OWNER_ONLY);
  }

  /** @returns the reason if the file stays as it is */
  private restore({ path, originalSha256, writtenSha256 }: KeptRecord): string | null {
    const original = this.originalOf(path);
    const byHand =
      originalSha256 === null
        ? `take the lines of Countersign out, then remove ${this.recordOf(path)}`
        : `take the lines of Countersign out, or put ${original} in its place; then remove that and ${this.recordOf(path)}`;
    const found = existsSync(path) ? digestOf(readFileSync(path)) : null;
    if (found !== originalSha256) {
      if (writtenSha256 === null || found !== writtenSha256)
        return `it was changed since connect wrote it: ${byHand}`;
      if (originalSha256 === null) rmSync(path);
      else {
        const bytes = readFileSync(original);
        if (digestOf(bytes) !== originalSha256) return `the original in ${original} is damaged: ${byHand}`;
        writeWhole(path, bytes, statSync(path));
      }
    }
    rmSync(original, { force: true });
    rmSync(this.recordOf(path));
    return null;
  }

  private all(): KeptRecord[] {
    if (!existsSync(this.directory)) return [];
    return readdirSync(this.directory)
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => this.parse(join(this.directory, name)));
  }

  private read(path: string): KeptRecord | null {
    const file = this.recordOf(path);
    return existsSync(file) ? this.parse(file) : null;
  }

  private parse(file: string): KeptRecord {
    try {
      return record.parse(JSON.parse(readFileSync(file, 'utf8')));
    } catch (cause) {
      throw new Error(`${file} is damaged: it says what connect wrote. Restore or remove it`, { cause });
    }
  }

  private recordOf(path: string): string {
    return join(this.directory, `${digestOf(path).slice(0, 32)}.json`);
  }

  private originalOf(path: string): string {
    return join(this.directory, `${digestOf(path).slice(0, 32)}.original`);
  }
}

/**
 * Writes it whole or not at all: an agent may be reading it.
 *
 * @param like the file that it replaces, whose owner and mode stay; or the mode of a new one, which the umask lowers
 */
function writeWhole(path: string, content: string | Buffer, like: number | Stats): void {
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(aside, content, { mode: typeof like === 'number' ? like : OWNER_ONLY, flush: true });
    if (typeof like !== 'number') {
      // Root may edit the file of a user.
      if (process.getuid?.() === 0) chownSync(aside, like.uid, like.gid);
      chmodSync(aside, like.mode & 0o777);
    }
    renameSync(aside, path);
  } finally {
    rmSync(aside, { force: true });
  }
}

function removeEmptyUpTo(topmost: string, folder: string): void {
  for (let each = folder; each.startsWith(topmost); each = dirname(each)) if (!removeIfEmpty(each)) return;
}

function removeIfEmpty(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return false; // not empty, or not there
  }
}
