import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { BUILD } from '../../src/kernel/build';
import { readAgentFile } from '../../src/operations/agent-file/agent-file';
import { AGENT_FILE, buildAgentFile } from '../support/agent-file';
import { Api } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { openTestApp, type OpenApp } from '../support/open-app';

let database: TestDatabase;
let app: OpenApp;

beforeAll(async () => {
  buildAgentFile();
  database = await createTestDatabase();
  app = await openTestApp(database.url);
});
afterAll(async () => {
  await app.close();
  await database.drop();
});

const fetchProgram = (headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${app.url}/agent/countersign-agent.cjs`, { headers });

describe('the program for agents', () => {
  it('is handed out to everybody, and the manifest has its digest', async () => {
    const response = await fetchProgram();
    expect([response.status, response.headers.get('content-type')]).toEqual([
      200,
      'text/javascript; charset=utf-8',
    ]);
    const content = Buffer.from(await response.arrayBuffer());
    expect(content.equals(readFileSync(AGENT_FILE))).toBe(true);
    const { body } = await new Api(app.url).call<unknown>(null, 'GET', '/agent/manifest.json');
    expect(body).toEqual({
      version: BUILD.version,
      file: '/agent/countersign-agent.cjs',
      sha256: createHash('sha256').update(content).digest('hex'),
      bytes: content.length,
    });
  });

  it('is not sent again to a cache that has it, and any cache asks', async () => {
    const { headers } = await fetchProgram();
    expect(headers.get('cache-control')).toBe('no-cache');
    const etag = headers.get('etag') ?? '';
    expect((await fetchProgram({ 'if-none-match': `"other", W/${etag}` })).status).toBe(304);
    expect((await fetchProgram({ 'if-none-match': '"other"' })).status).toBe(200);
  });

  it('is missed by name where it was not built', () => {
    expect(() => readAgentFile(() => '/nowhere')).toThrow(/run "npm run build"/);
  });
});
