import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { INSPECTED_OF_STRANGERS, PassingBody } from './passing-body';
import { denialFor, mayMeanConnector } from './refused-calls';

/**
 * Denies a call of a connector while the service is still starting.
 *
 * @returns false if there is nothing to deny; then nothing was sent.
 */
export async function denyEarly(
  request: IncomingMessage,
  response: ServerResponse,
  reason: string,
): Promise<boolean> {
  const { method, url = '' } = request;
  if (method !== 'POST' || !mayMeanConnector(url)) return false;
  const passing = new PassingBody();
  // Of a truncated body, the received part counts. Keys cannot be checked yet.
  pipeline(request, passing, () => undefined);
  const denial = denialFor(url, await passing.spotted(INSPECTED_OF_STRANGERS), reason);
  if (denial === null) return false;
  response
    .writeHead(200, { 'content-type': 'application/json; charset=utf-8', connection: 'close' })
    .end(JSON.stringify(denial.answer));
  return true;
}
