import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { DIALECTS, type Block } from '../../src/agent-side/connect/model-dialects';

export type { Block } from '../../src/agent-side/connect/model-dialects';

interface Play {
  readonly turns: readonly (readonly Block[])[];
  next: number;
  readonly results: string[];
  /** The bodies of the calls after the first turn. */
  readonly said: string[];
}

/** The model of a real agent, scripted: it plays turns, whatever it is told, and keeps the results of tools. */
export interface ModelEndpoint {
  /** @returns the base URL under which these turns are played, without `/v1`, and what tools returned so far. */
  play(turns: readonly (readonly Block[])[]): {
    readonly url: string;
    readonly results: readonly string[];
    /** The bodies of the calls after the first turn. */
    readonly said: readonly string[];
  };
  close(): Promise<void>;
}

export async function startModelEndpoint(): Promise<ModelEndpoint> {
  const plays = new Map<string, Play>();
  const server = createServer((request, response) => {
    const [, name = '', ...rest] = (request.url ?? '').split('/');
    const play = plays.get(name);
    const dialect = DIALECTS.find(({ path }) => path.test(rest.join('/')));
    if (!play || !dialect || request.method !== 'POST')
      return void response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
    void json(request).then((body) => {
      const { model, hasTools, results } = dialect.read(body as Record<string, unknown>);
      // Without tools it is asked for a title or the like.
      const turn = hasTools ? (play.turns[play.next++] ?? [{ text: 'Done.' }]) : [{ text: 'A title' }];
      if (hasTools) play.results.push(...results);
      if (hasTools && play.next > 1) play.said.push(JSON.stringify(body));
      dialect.write(turn, model, response);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    play: (turns) => {
      const name = `play${plays.size}`;
      const play: Play = { turns, next: 0, results: [], said: [] };
      plays.set(name, play);
      return { url: `${base}/${name}`, results: play.results, said: play.said };
    },
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(() => done()));
    },
  };
}
