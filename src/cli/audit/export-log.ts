import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { unlessRemoved } from '../../audit/walk-chain';
import type { LogSource } from './log-source';

/**
 * Writes the log to a file that verifies offline.
 *
 * @returns the number of rows
 * @throws Error if the file exists; RemovedMeanwhile
 */
export async function exportLog(
  source: LogSource,
  path: string,
  progress: (rows: number) => void,
): Promise<number> {
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  const done = finished(file);
  const write = async (line: object): Promise<void> => {
    if (!file.write(`${JSON.stringify(line)}\n`))
      await new Promise<void>((drained) => file.once('drain', drained));
  };
  let rows = 0;
  const fill = async (): Promise<void> => {
    for await (const batch of unlessRemoved(source.batches)) {
      for (const { seal, row } of batch) await write({ seal, row });
      progress((rows += batch.length));
    }
    for (const checkpoint of source.checkpoints) await write({ checkpoint });
    await write(source.keys);
    file.end();
  };
  await Promise.all([fill(), done]);
  return rows;
}
