import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { callService, type Progress } from '../../../src/agent-side/client/service-call';

let server: Server;
afterEach(() => new Promise((done) => server.close(done)));

/** A service that answers with these chunks. */
async function serviceWith(type: string, chunks: readonly string[]) {
  server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': type });
    for (const chunk of chunks) response.write(chunk);
    response.end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const seen: Progress[] = [];
  const answer = callService(
    { url: `http://127.0.0.1:${port}`, key: 'k' },
    { method: 'POST', path: '/', onProgress: (progress) => seen.push(progress) },
    z.object({ requests: z.number(), by: z.string() }),
  );
  return { seen, answer };
}

const LINES = 'application/x-ndjson';

describe('the answer to a long call', () => {
  it('reports each line but the last, which is the result, wherever the chunks end', async () => {
    const chunks = ['{"done":1,"of":', '2}\n{"done":2,"of":2}\n{"requests":2,', '"by":"Zoë"}\n'];
    const { seen, answer } = await serviceWith(LINES, chunks);
    expect(await answer).toEqual({ requests: 2, by: 'Zoë' });
    expect(seen).toEqual([
      { done: 1, of: 2 },
      { done: 2, of: 2 },
    ]);
  });

  it('may be the result alone, from a service that reports no progress', async () => {
    const { seen, answer } = await serviceWith('application/json', ['{"requests":2,"by":"a"}']);
    expect(await answer).toEqual({ requests: 2, by: 'a' });
    expect(seen).toEqual([]);
  });

  it('is an error where the work fails after it began', async () => {
    const problem = '{"status":503,"code":"policy.unfinished","detail":"It takes too long."}\n';
    const { answer } = await serviceWith(LINES, ['{"done":1,"of":2}\n', problem]);
    await expect(answer).rejects.toThrow('503: It takes too long.');
  });

  it('is an error where it ends too early', async () => {
    const { answer } = await serviceWith(LINES, ['{"done":1,"of":2}\n']);
    await expect(answer).rejects.toThrow('is not Countersign');
  });
});
