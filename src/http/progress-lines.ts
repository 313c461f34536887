import { PassThrough } from 'node:stream';
import { StreamableFile } from '@nestjs/common';
import { problemOf } from './problem';

/** The media type of an answer that reports progress: one JSON document a line, of which the last is the result. */
export const LINES = 'application/x-ndjson';

/** The part of a long work that is done. */
export interface Progress {
  readonly done: number;
  readonly of: number;
}

/**
 * Answers with the progress of a work, and then with its result or its problem. An error before the first report is an
 * answer of its own, with its status.
 */
export async function progressLines(
  work: (report: (progress: Progress) => void) => Promise<object>,
): Promise<StreamableFile> {
  const lines = new PassThrough();
  const write = (line: object): void => void lines.write(`${JSON.stringify(line)}\n`);
  await new Promise<void>((begin, fail) => {
    const result = work((progress) => {
      write(progress);
      begin();
    });
    result
      .then(write, (error: unknown) => {
        fail(error instanceof Error ? error : new Error(String(error)));
        write(problemOf(error));
      })
      .finally(() => {
        lines.end();
        begin();
      });
  });
  return new StreamableFile(lines, { type: LINES });
}
