import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';

/** An id that serves as the name of a file. */
const FILE_NAME = /^[A-Za-z0-9_-]{1,128}$/;

const sessionFile = z.object({
  version: z.literal(1),
  sessionId: z.string(),
  agentId: z.string(),
  cwd: z.string(),
  /** Calls that Claude Code reported as denied at the end of the last run, with the reasons. */
  denials: z.array(
    z.object({
      toolName: z.string(),
      toolUseId: z.string(),
      inputDigest: z.string().nullable(),
      why: z.string(),
    }),
  ),
});

/** Stored data of a session, to resume it. It contains no API key and no tool input. */
export type SessionFile = z.infer<typeof sessionFile>;

/** No usable file exists for the session. */
export class SessionUnknown extends Error {
  override readonly name = 'SessionUnknown';
}

/** Stores sessions and their used approvals in files that only the owner can read. */
export class SessionFiles {
  /** @param directory created when needed */
  constructor(private readonly directory: string) {}

  /** @throws SessionUnknown */
  async read(sessionId: string): Promise<SessionFile> {
    const path = this.pathOf(sessionId);
    try {
      return sessionFile.parse(JSON.parse(await readFile(path, 'utf8')));
    } catch (cause) {
      throw new SessionUnknown(`nothing usable is kept of session ${sessionId} (${path})`, { cause });
    }
  }

  /** Replaces the session's file atomically. @returns the file's path. */
  async write(session: SessionFile): Promise<string> {
    const path = this.pathOf(session.sessionId);
    const aside = `${path}.${randomBytes(6).toString('hex')}`;
    await mkdir(usedDirectory(path), { recursive: true, mode: 0o700 });
    await writeDurably(aside, `${JSON.stringify(session, null, 2)}\n`);
    await rename(aside, path);
    await syncDirectory(this.directory);
    return path;
  }

  /**
   * Claims the single use of an approval. The claim is durable on disk before this resolves, and only one of any number
   * of processes succeeds.
   *
   * @returns false if this or another process, even a crashed one, claimed it before.
   */
  async claim(sessionId: string, approvalId: string): Promise<boolean> {
    const directory = usedDirectory(this.pathOf(sessionId));
    try {
      await writeDurably(join(directory, approvalId), '');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
    // The session's file is written first, so the directory itself is already durable.
    await syncDirectory(directory);
    return true;
  }

  private pathOf(sessionId: string): string {
    // An agent may choose any id, even one that is a path.
    const name = FILE_NAME.test(sessionId)
      ? sessionId
      : `sha256-${createHash('sha256').update(sessionId).digest('hex')}`;
    return join(this.directory, `${name}.json`);
  }
}

/** Directory of a session's used approvals, beside the session's file. */
function usedDirectory(path: string): string {
  return path.replace(/\.json$/, '.used');
}

/** Writes a new file that only its owner can read, and syncs it to disk. */
async function writeDurably(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
