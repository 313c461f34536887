import type { IncomingMessage, ServerResponse } from 'node:http';
import { denyEarly } from './agents/early-denial';
import { PROBLEM_TYPE } from './http/problem';

const RETRY_AFTER_SECONDS = 5;

/** Answers while the schema is migrated: the process is alive, but not ready. */
export class Starting {
  /** Reason why it is not ready; anybody may read it. */
  reason = 'the service is starting';

  readonly answer = (request: IncomingMessage, response: ServerResponse): void => {
    void this.answerTo(request, response);
  };

  private async answerTo(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (await denyEarly(request, response, this.reason)) return;
    request.resume();
    this.answerOther(request.url?.split('?')[0], response);
  }

  private answerOther(path: string | undefined, response: ServerResponse): void {
    if (path === '/health/live') this.send(response, 200, this.health(null));
    else if (path === '/health' || path === '/health/ready')
      this.send(response, 503, this.health(this.reason));
    else this.send(response, 503, this.problem(), PROBLEM_TYPE);
  }

  private problem(): object {
    return {
      type: 'urn:countersign:problem:service.starting',
      title: 'Service Unavailable',
      status: 503,
      code: 'service.starting',
      detail: `Not ready: ${this.reason}. Try again shortly.`,
    };
  }

  /** In the format of Terminus. */
  private health(reason: string | null): object {
    const down = reason === null ? {} : { migrations: { status: 'down', reason } };
    return { status: reason === null ? 'ok' : 'error', info: {}, error: down, details: down };
  }

  /** Closes the connection, so that the next request reaches the application. */
  private send(
    response: ServerResponse,
    status: number,
    body: object,
    type = 'application/json; charset=utf-8',
  ): void {
    if (status === 503) response.setHeader('retry-after', RETRY_AFTER_SECONDS);
    response.writeHead(status, { 'content-type': type, connection: 'close' }).end(JSON.stringify(body));
  }
}
