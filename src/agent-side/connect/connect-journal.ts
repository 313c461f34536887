import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import {
  digestAt,
  digestOf,
  OWNER_ONLY,
  parsed,
  removeDrafts,
  removeIfEmpty,
  writeWhole,
} from './whole-files';

const schema = z.object({
  version: z.literal(1),
  files: z.array(
    z.object({
      agent: z.string(),
      path: z.string(),
      beforeSha256: z.string().nullable(),
      afterSha256: z.string(),
    }),
  ),
});
type Entry = z.infer<typeof schema>['files'][number];

/** The text of one settings file, as it is and as it is to be. */
export interface Change {
  readonly agent: string;
  readonly path: string;
  /** The text that the change was made for; null for no file. */
  readonly before: string | null;
  readonly after: string;
  /** The project out of which no link may lead the path; none: links are followed. */
  readonly inside?: string | undefined;
}

/** Files of a `connect` that was killed while it wrote them. */
export interface Interrupted {
  readonly written: readonly string[];
  readonly notWritten: readonly string[];
}

/** Its name does not end as those of the kept records do. */
const NAME = 'being-written';

/** The list of the files that `connect` is writing. After it was killed, the list tells which of them it did not reach. */
export class ConnectJournal {
  private readonly file: string;

  /** @param directory made when needed, readable by the owner only */
  constructor(private readonly directory: string) {
    this.file = join(directory, NAME);
  }

  /** @returns takes it back: no file was changed */
  begin(changes: readonly Change[]): () => void {
    const earlier = this.files();
    const others = earlier.filter((entry) => !changes.some(({ path }) => path === entry.path));
    if (changes.length > 0) this.write([...others, ...changes.map(entryOf)]);
    return () => this.write(earlier);
  }

  /** @param agents those whose files are in order again; none for all */
  end(agents: readonly string[]): void {
    const isOver = ({ agent }: Entry): boolean => agents.length === 0 || agents.includes(agent);
    const files = this.files();
    for (const { path } of files.filter(isOver)) removeDrafts(path);
    this.write(files.filter((each) => !isOver(each)));
  }

  /**
   * Null if no `connect` was killed between two of its files. A file that somebody edited since tells nothing: a `connect` that was
   * killed before its first file, or behind its last one, was not.
   */
  interrupted(): Interrupted | null {
    const files = this.files().map((entry) => ({ ...entry, found: digestAt(entry.path) }));
    const written = files.filter(({ found, afterSha256 }) => found === afterSha256);
    const notWritten = files.filter(({ found, beforeSha256 }) => found === beforeSha256);
    if (written.length === 0 || notWritten.length === 0) return null;
    const pathsOf = (list: typeof files): string[] => list.map(({ path }) => path);
    return { written: pathsOf(written), notWritten: pathsOf(notWritten) };
  }

  private files(): Entry[] {
    return existsSync(this.file) ? parsed(schema, this.file).files : [];
  }

  private write(files: readonly Entry[]): void {
    if (files.length > 0) {
      mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      writeWhole(this.file, `${JSON.stringify({ version: 1, files }, null, 2)}\n`, OWNER_ONLY);
      return;
    }
    rmSync(this.file, { force: true });
    for (const folder of [this.directory, dirname(this.directory)]) removeIfEmpty(folder);
  }
}

const entryOf = ({ agent, path, before, after }: Change): Entry => ({
  agent,
  path,
  beforeSha256: before === null ? null : digestOf(before),
  afterSha256: digestOf(after),
});
