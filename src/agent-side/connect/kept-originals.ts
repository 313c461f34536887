import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { ConnectJournal, type Change } from './connect-journal';
import { requireInside } from './links';
import {
  digestAt,
  digestOf,
  OWNER_ONLY,
  parsed,
  removeEmptyUpTo,
  removeIfEmpty,
  writeWhole,
} from './whole-files';

const record = z.object({
  version: z.literal(1),
  agent: z.string(),
  path: z.string(),
  /** Null: there was no file. */
  originalSha256: z.string().nullable(),
  /** Digests of all texts that `connect` wrote to it; none if somebody else edited it between two times. */
  writtenSha256: z.union([
    z.array(z.string()),
    // As earlier versions wrote it: the last one only.
    z
      .string()
      .nullable()
      .transform((last) => (last === null ? [] : [last])),
  ]),
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

/** Mode of a new file without a secret: managed settings are for every user. */
const FOR_EVERYBODY = 0o666;

/** The settings files that `connect` changed, as they were before, so that `--undo` restores them byte for byte. */
export class KeptOriginals {
  private readonly journal: ConnectJournal;

  /** @param directory made when needed, readable by the owner only */
  constructor(private readonly directory: string) {
    this.journal = new ConnectJournal(directory);
  }

  /**
   * Replaces settings files, all or none: an agent with half of its settings may skip its gate. Each is replaced whole, and
   * its bytes are kept first. A symbolic link stays one.
   *
   * @param agents all that are being connected: what an earlier, interrupted time left of them is finished
   * @throws Error if a file has another text by now, or cannot be written; nothing is changed then
   */
  replaceAll(agents: readonly string[], changes: readonly Change[]): void {
    const forgetBegin = this.journal.begin(changes);
    const takeBacks: (() => void)[] = [];
    try {
      for (const change of changes) takeBacks.push(this.replace(change));
    } catch (cause) {
      // The last one first: a folder that was made for several files goes with the first of them.
      const failures = takeBacks.reverse().flatMap((takeBack) => failureOf(takeBack));
      if (failures.length > 0)
        // The journal stays, and tells which files are changed.
        throw new AggregateError(failures, 'not every file can be written, nor every other restored', {
          cause,
        });
      forgetBegin();
      throw new Error('nothing was changed, since not every file can be written', { cause });
    }
    this.journal.end(agents);
  }

  /** @returns takes it back, with all that was kept for it */
  private replace({ agent, path, before, after: text, inside }: Change): () => void {
    // A link may have come while the question waited for its answer.
    if (inside !== undefined) requireInside(inside, path);
    const target = existsSync(path) ? realpathSync(path) : path;
    const bytes = existsSync(target) ? readFileSync(target) : null;
    if ((bytes?.toString() ?? null) !== before)
      throw new Error(`${path} was changed meanwhile: run connect again`);
    const known = this.read(target);
    const made = mkdirSync(dirname(target), { recursive: true });
    const like = bytes === null ? FOR_EVERYBODY : statSync(target);
    const forget = (): void => {
      if (known === null) this.forget(target);
      else this.writeRecord(known);
      if (made !== undefined) removeEmptyUpTo(made, dirname(target));
    };
    try {
      this.keep(known, { agent, path: target, bytes, text, madeFolder: made ?? known?.madeFolder ?? null });
      writeWhole(target, text, like);
    } catch (error) {
      forget();
      throw error;
    }
    return () => {
      if (bytes === null) rmSync(target);
      else writeWhole(target, bytes, like);
      forget();
    };
  }

  /** Restores the files of these agents, or of all. A file that was changed since stays as it is. */
  undo(agents: readonly string[]): Undone[] {
    const chosen = this.all().filter(({ agent }) => agents.length === 0 || agents.includes(agent));
    const undone = chosen.map((each) => ({
      agent: each.agent,
      path: each.path,
      refused: this.restore(each),
    }));
    this.journal.end(agents);
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
    const isUntouched = known === null || found === known.originalSha256 || isWritten(known, found);
    this.writeRecord({
      version: 1,
      agent,
      path,
      originalSha256: known === null ? found : known.originalSha256,
      writtenSha256: isUntouched ? [...(known?.writtenSha256 ?? []), digestOf(text)] : [],
      madeFolder,
    });
  }

  /** @returns the reason if the file stays as it is */
  private restore(kept: KeptRecord): string | null {
    const { path, originalSha256 } = kept;
    const original = this.originalOf(path);
    const byHand =
      originalSha256 === null
        ? `take the lines of Countersign out, then remove ${this.recordOf(path)}`
        : `take the lines of Countersign out, or put ${original} in its place; then remove that and ${this.recordOf(path)}`;
    const found = digestAt(path);
    if (found !== originalSha256) {
      if (!isWritten(kept, found)) return `it was changed since connect wrote it: ${byHand}`;
      if (originalSha256 === null) rmSync(path);
      else {
        const bytes = readFileSync(original);
        if (digestOf(bytes) !== originalSha256) return `the original in ${original} is damaged: ${byHand}`;
        writeWhole(path, bytes, statSync(path));
      }
    }
    this.forget(path);
    return null;
  }

  private forget(path: string): void {
    rmSync(this.originalOf(path), { force: true });
    rmSync(this.recordOf(path), { force: true });
    for (const folder of [this.directory, dirname(this.directory)]) removeIfEmpty(folder);
  }

  private writeRecord(kept: KeptRecord): void {
    writeWhole(this.recordOf(kept.path), `${JSON.stringify(kept, null, 2)}\n`, OWNER_ONLY);
  }

  private all(): KeptRecord[] {
    if (!existsSync(this.directory)) return [];
    return readdirSync(this.directory)
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => parsed(record, join(this.directory, name)));
  }

  private read(path: string): KeptRecord | null {
    const file = this.recordOf(path);
    return existsSync(file) ? parsed(record, file) : null;
  }

  private recordOf(path: string): string {
    return join(this.directory, `${digestOf(path).slice(0, 32)}.json`);
  }

  private originalOf(path: string): string {
    return join(this.directory, `${digestOf(path).slice(0, 32)}.original`);
  }
}

function failureOf(action: () => void): unknown[] {
  try {
    action();
    return [];
  } catch (error) {
    return [error];
  }
}

const isWritten = ({ writtenSha256 }: KeptRecord, digest: string | null): boolean =>
  digest !== null && writtenSha256.includes(digest);
