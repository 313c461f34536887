import { createReadStream } from 'node:fs';
import { z } from 'zod';
import { checkpointsSchema, sealedPageSchema, sealedRowSchema } from '../../audit/audit-views';
import type { ReadBatches } from '../../audit/walk-chain';
import { callService, type ServiceDoor } from '../../agent-side/client/service-call';
import { linesOf } from '../../kernel/lines';
import { parseStrictJson } from '../../kernel/strict-json';
import { keySetSchema, type KeySet } from '../../receipts/key-set';

/** Rows per request. */
const PAGE = 1000;
/** A log of more pages, a thousand million rows, has no end. */
const MAX_PAGES = 1_000_000;

/** An audit log, read from the service or from an export. */
export interface LogSource {
  readonly keys: KeySet;
  /** Compact JWS. */
  readonly checkpoints: readonly string[];
  readonly batches: ReadBatches;
  /** Number of rows without a seal, known after the last batch. An export has none. */
  unsealed(): number;
}

/** The log of a running service. */
export async function serviceLog(door: ServiceDoor): Promise<LogSource> {
  const get = <Schema extends z.ZodType>(path: string, schema: Schema) =>
    callService(door, { method: 'GET', path }, schema);
  const { checkpoints } = await get('/api/audit/checkpoints', checkpointsSchema);
  let unsealed = 0;
  async function* batches() {
    let after: number | null = 0;
    for (let pages = 1; after !== null; pages++) {
      const page: z.infer<typeof sealedPageSchema> = await get(
        `/api/audit/sealed?after=${after}&limit=${PAGE}`,
        sealedPageSchema,
      );
      yield page.items;
      unsealed = page.unsealed ?? 0;
      if (page.nextAfter !== null && (page.nextAfter <= after || pages === MAX_PAGES))
        throw new Error(`the audit log at ${door.url} does not end: ${pages} pages were read`);
      after = page.nextAfter;
    }
  }
  const keys = await get('/.well-known/jwks.json', keySetSchema);
  return { keys, checkpoints, batches, unsealed: () => unsealed };
}

/** One line of an export: rows in the order of the chain, then the checkpoints, then the keys that signed them. */
const lineSchema = z.union([
  sealedRowSchema,
  z.strictObject({ checkpoint: z.string() }),
  z.strictObject({ keys: z.array(z.unknown()) }),
]);

async function* entriesOf(path: string): AsyncGenerator<z.infer<typeof lineSchema>> {
  let number = 0;
  for await (const line of linesOf(createReadStream(path))) {
    number++;
    if (line === '') continue;
    const parsed = lineSchema.safeParse(jsonOf(line));
    if (!parsed.success) throw new Error(`${path}, line ${number}: is not a line of an audit export`);
    yield parsed.data;
  }
}

/** Parses strictly: with a duplicate name, a reader could see another row than the one that was verified. */
function jsonOf(line: string): unknown {
  try {
    return parseStrictJson(line);
  } catch {
    return undefined; // no schema accepts undefined
  }
}

/**
 * Opens a file of `countersign audit export`. It is read twice as a stream, never as a whole.
 *
 * @throws Error if the last line, the keys, is missing: otherwise nobody would notice rows missing from a cut file.
 */
export async function exportedLog(path: string): Promise<LogSource> {
  const checkpoints: string[] = [];
  let keys: KeySet | null = null;
  for await (const line of entriesOf(path)) {
    if ('checkpoint' in line) checkpoints.push(line.checkpoint);
    if ('keys' in line) keys = keySetSchema.parse(line);
  }
  if (keys === null)
    throw new Error(`${path} is cut short: the line with the keys, its last one, is missing`);
  async function* batches() {
    for await (const line of entriesOf(path)) if ('seal' in line) yield [line];
  }
  return { keys, checkpoints, batches, unsealed: () => 0 };
}
