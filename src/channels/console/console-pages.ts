import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const compress = promisify(gzip);

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
};

/** One file of the page, as it is sent. */
export interface PageFile {
  readonly type: string;
  readonly plain: Buffer;
  readonly gzipped: Buffer;
  readonly etag: string;
}

/** Throws if the page is not built: a file that does not exist cannot be resolved. */
const indexPath = () => require.resolve('#console-page/index.html');

async function readPageFile(path: string): Promise<PageFile> {
  const plain = readFileSync(path);
  return {
    type: TYPES[path.split('.').at(-1) ?? ''] ?? 'application/octet-stream',
    plain,
    gzipped: await compress(plain, { level: 9 }),
    etag: `"${createHash('sha256').update(plain).digest('base64url')}"`,
  };
}

/** The folder of the built page; null: it is not built. */
function pageFolder(locate: () => string): string | null {
  try {
    return dirname(locate());
  } catch {
    return null;
  }
}

/**
 * Reads the built page, by the names of its files. They are few, and stay in memory, so that no address names a path.
 * Empty if the page is not built.
 */
export async function readPageFiles(locate = indexPath): Promise<ReadonlyMap<string, PageFile>> {
  const folder = pageFolder(locate);
  if (folder === null) return new Map();
  const names = readdirSync(folder).filter((name) => !name.startsWith('.'));
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readPageFile(join(folder, name))] as const)),
  );
}
