import { once } from 'node:events';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';

/** One row as it was sent. */
export interface StreamedRow {
  readonly number: number;
  readonly seq: number;
  readonly type?: string;
  readonly hash: string;
  readonly [member: string]: unknown;
}

interface OtlpLogRecord {
  readonly eventName?: string;
  readonly timeUnixNano?: string;
  readonly body: { readonly stringValue: string };
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
}

export interface LogsBody {
  readonly resourceLogs: readonly {
    readonly resource: { readonly attributes: OtlpLogRecord['attributes'] };
    readonly scopeLogs: readonly {
      readonly scope: { name: string };
      readonly logRecords: readonly OtlpLogRecord[];
    }[];
  }[];
}

export interface LogsCall {
  readonly headers: IncomingMessage['headers'];
  readonly url: string;
  readonly body: LogsBody;
  readonly rows: readonly StreamedRow[];
}

/** Answers a call. @returns true if the rows were taken. */
export type Behaviour = (response: ServerResponse, call: LogsCall) => boolean;

const json = (response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

export const take: Behaviour = (response) => {
  json(response, 200, {});
  return true;
};
export const refuse =
  (status: number, headers: Record<string, string> = {}): Behaviour =>
  (response) => {
    json(response, status, { message: 'no' }, headers);
    return false;
  };
/** Takes the rows, and never says so. */
export const stall: Behaviour = () => true;
/** Takes the rows, and breaks off in the middle of its answer. */
export const breakOff: Behaviour = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
  response.write('{"partialSuccess"', () => response.destroy());
  return true;
};
/** Rejects these rows, as OpenTelemetry has it, and takes the others. */
export const rejectRows =
  (isBad: (row: StreamedRow) => boolean): Behaviour =>
  (response, { rows }) => {
    const bad = rows.filter(isBad).length;
    json(
      response,
      200,
      bad === 0 ? {} : { partialSuccess: { rejectedLogRecords: String(bad), errorMessage: 'bad' } },
    );
    return bad === 0;
  };

/** A collector of logs: OTLP over HTTP, as JSON. */
export async function startLogCollector(tls?: { readonly key: string; readonly cert: string }) {
  const calls: LogsCall[] = [];
  const taken: StreamedRow[] = [];
  const queued: Behaviour[] = [];
  let usual = take;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as LogsBody;
    const rows = body.resourceLogs
      .flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords))
      .map(({ body: { stringValue } }) => JSON.parse(stringValue) as StreamedRow);
    const call = { headers: request.headers, url: request.url ?? '', body, rows };
    calls.push(call);
    if ((queued.shift() ?? usual)(response, call)) taken.push(...rows);
  };
  const listener = (request: IncomingMessage, response: ServerResponse) =>
    void answer(request, response).catch(() => response.destroy());
  const server = tls ? createHttps(tls, listener) : createHttp(listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}/v1/logs`,
    calls,
    /** Rows of the calls that it took, in the order of their arrival. */
    taken,
    /** Numbers of those rows, each once. */
    numbers: () => [...new Set(taken.map(({ number }) => number))].sort((a, b) => a - b),
    /** The answers to the next calls; later ones are taken. */
    next: (...behaviours: Behaviour[]) => void queued.push(...behaviours),
    always: (behaviour: Behaviour) => {
      usual = behaviour;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

export type LogCollector = Awaited<ReturnType<typeof startLogCollector>>;
