import type { IncomingMessage, ServerResponse } from 'node:http';
import { failure } from './answers';
import { gatingEventOf, hookOutput } from './claude-code-hook';

/** Larger calls are taken for questions, without a look into them. */
const MAX_READ_BYTES = 4 * 1024 * 1024;

async function read(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes <= MAX_READ_BYTES) pieces.push(piece);
  }
  try {
    return bytes <= MAX_READ_BYTES ? JSON.parse(Buffer.concat(pieces).toString('utf8')) : null;
  } catch {
    return null;
  }
}

/** Answers a call of the hook before there is a service to ask: to Claude Code, any other answer is no decision. */
export async function denyEarly(
  request: IncomingMessage,
  response: ServerResponse,
  reason: string,
): Promise<void> {
  const body = await read(request).catch(() => null);
  const event = gatingEventOf(body);
  const text = JSON.stringify(
    event === null ? {} : hookOutput(event, { answer: failure(reason), ending: null }),
  );
  response
    .writeHead(200, { 'content-type': 'application/json; charset=utf-8', connection: 'close' })
    .end(text);
}
