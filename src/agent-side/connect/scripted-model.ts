import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { DIALECTS, type Block } from './model-dialects';

/** A model on loopback that makes one call of a tool and then says that it is done. */
export interface ScriptedModel {
  /** The base URL, without the version of the API. */
  readonly url: string;
  /** Results of the call, as the agent told them. */
  readonly results: readonly string[];
  close(): Promise<void>;
}

export async function startScriptedModel(call: Block): Promise<ScriptedModel> {
  const results: string[] = [];
  let hasCalled = false;
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').slice(1);
    const dialect = DIALECTS.find((each) => each.path.test(path));
    if (!dialect || request.method !== 'POST')
      return void response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
    json(request).then(
      (body) => {
        const asked = dialect.read(body as Record<string, unknown>);
        // Without tools it is asked for a title or the like.
        const turn = asked.hasTools && !hasCalled ? call : { text: 'Done.' };
        hasCalled ||= asked.hasTools;
        results.push(...asked.results);
        dialect.write([turn], asked.model, response);
      },
      () => response.destroy(),
    );
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    results,
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(() => done()));
    },
  };
}
