import { NotFoundException } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The program for an agent's machine, as one file. */
export interface AgentFile {
  readonly content: Buffer;
  /** Of the content, in hexadecimal digits. */
  readonly sha256: string;
}

/** Reads the file that `npm run build` makes. @throws NotFoundException with the remedy if it is not there. */
export function readAgentFile(locate = (): string => require.resolve('#agent-file')): AgentFile {
  try {
    const content = readFileSync(locate());
    return { content, sha256: createHash('sha256').update(content).digest('hex') };
  } catch (cause) {
    throw new NotFoundException(
      'The program for agents is not built: run "npm run build" where the service is installed.',
      { cause },
    );
  }
}
