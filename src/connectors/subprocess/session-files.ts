import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';

const SESSION_ID = /^[A-Za-z0-9_-]{1,128}$/;

const sessionFile = z.object({
  version: z.literal(1),
  sessionId: z.string().regex(SESSION_ID),
  agentId: z.string(),
  cwd: z.string(),
  /** Calls that Claude Code reported as denied at its last end, and why. */
  denials: z.array(
    z.object({
      toolName: z.string(),
      toolUseId: z.string(),
      inputDigest: z.string().nullable(),
      why: z.string(),
    }),
  ),
});

/** What is kept of a session so that it can be resumed. No key, no input. */
export type SessionFile = z.infer<typeof sessionFile>;

/** There is nothing, or nothing usable, kept of the session. */
export class SessionUnknown extends Error {
  override readonly name = 'SessionUnknown';
}

/** Sessions and the approvals used in them, as files that only their owner reads. */
export class SessionFiles {
  /** @param directory made when needed */
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

  /** Replaces what was kept, in one step. @returns the file's path. */
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
   * Takes the one use that an approval has. The answer is on the disk before it is given, and of any number of
   * processes one gets it.
   *
   * @returns false when it was taken before, in this process or another, crashed or not.
   */
  async claim(sessionId: string, approvalId: string): Promise<boolean> {
    const directory = usedDirectory(this.pathOf(sessionId));
    try {
      await writeDurably(join(directory, approvalId), '');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
    // The directory itself is as durable as the session's file, which is written first.
    await syncDirectory(directory);
    return true;
  }

  private pathOf(sessionId: string): string {
    if (!SESSION_ID.test(sessionId)) throw new SessionUnknown(`"${sessionId}" cannot be the id of a session`);
    return join(this.directory, `${sessionId}.json`);
  }
}

/** Where the file of a session has the approvals that were used in it. */
function usedDirectory(path: string): string {
  return path.replace(/\.json$/, '.used');
}

/** A new file, readable by its owner, on the disk. */
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
