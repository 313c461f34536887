import { readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { BUILD } from '../../src/kernel/build';
import { Api, type ApprovalJson } from '../support/api';
import { startTestApp, type TestApp } from '../support/app';
import { AgentMachine } from '../support/claude-run';
import { cli, type Said } from '../support/cli';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { DocumentShell, outputFits, printed, type Ran } from '../support/documents';
import { cleanUp, temporaryDirectory } from '../support/processes';
import { until } from '../support/until';
import { AGENT_KEY } from '../support/well-known';

let database: TestDatabase;
let app: TestApp;
let api: Api;
/** An agent's machine: it has Node.js, and what it fetched. */
let directory: string;
let file: string;
let connected: Said;
let fetched: Ran;

beforeAll(async () => {
  database = await createTestDatabase();
  app = await startTestApp(database.url);
  api = new Api(app.url);
  directory = temporaryDirectory('countersign-agent-');
  file = join(directory, 'countersign-agent.cjs');
  connected = await cli(['connect', '--fetch-line', '--url', app.url]);
  const shell = new DocumentShell(directory, { PATH: process.env.PATH ?? '' }, {}, temporaryDirectory());
  fetched = await shell.run({ command: connected.out, background: false });
});
afterAll(async () => {
  await cleanUp();
  await app.close();
  await database.drop();
});

const agent = (...args: string[]): Promise<Said> =>
  cli(args, { COUNTERSIGN_URL: app.url, COUNTERSIGN_KEY: AGENT_KEY }, file);

describe('the program for agents, alone in a directory', () => {
  it('is fetched and checked by the line that `connect` prints, as the document shows it', async () => {
    const shown = printed('docs/countersign-run.md', 'text', 'curl').replace(
      'https://countersign.example.com',
      app.url,
    );
    expect([connected.code, outputFits(shown, connected.out)]).toEqual([0, true]);
    expect(fetched).toMatchObject({ code: 0, out: 'countersign-agent.cjs: OK\n' });
    expect(readdirSync(directory)).toEqual(['countersign-agent.cjs']);
    expect((await agent('--version')).out).toBe(BUILD.version);
  });

  it('is fetched by the line that `connect` prints where no agent is installed', async () => {
    const env = { HOME: temporaryDirectory(), PATH: dirname(process.execPath) };
    const { code, out, err } = await cli(['connect', '--url', app.url], env);
    expect([code, out]).toEqual([0, connected.out]);
    expect(err).toContain('No agent is installed here');
  });

  it('prints no line of which a service could make another command', async () => {
    const sha256 = 'a'.repeat(64);
    const answers = [
      { version: '1.0.0', file: '/agent/countersign-agent.cjs', sha256: `${sha256}' ; touch pwned '` },
      { version: '1.0.0', file: "/agent/'; touch pwned; '", sha256 },
      { version: '1.0.0', file: '/agent/countersign-agent.cjs' },
    ];
    const server = createServer((_, response) => response.end(JSON.stringify(answers.pop())));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    while (answers.length > 0) {
      const { code, out, err } = await cli(['connect', '--fetch-line', '--url', url]);
      expect([code, out, err]).toEqual([
        2,
        '',
        expect.stringMatching(/does not offer the program for agents/),
      ]);
    }
    await new Promise((done) => server.close(done));
  });

  it('lists requests and verifies receipts', async () => {
    const { id } = (await api.enqueue({ toolInput: { command: 'make alone' } })).body;
    const listed = await agent('approvals', 'list', '--json');
    expect((JSON.parse(listed.out) as { items: ApprovalJson[] }).items.map((each) => each.id)).toEqual([id]);
    const { receipt } = (await api.decide(id, 'approved')).body;
    const receipts = join(temporaryDirectory(), 'receipt');
    writeFileSync(receipts, receipt as string);
    const verified = await agent('receipt', 'verify', receipts, '--json');
    expect([verified.code, JSON.parse(verified.out)]).toMatchObject([
      0,
      { ok: true, claims: { approvalId: id } },
    ]);
  });

  it('runs Claude Code with every tool under approval', async () => {
    const machine = new AgentMachine(app.url, file);
    const run = machine.runCli({ calls: [{ input: { command: 'printf ran > allowed' } }] });
    const { id } = await until('a request', async () => {
      const { body } = await api.call<{ items: ApprovalJson[] }>(
        'operator',
        'GET',
        '/api/approvals?status=pending',
      );
      return body.items[0];
    });
    await api.decide(id, 'approved');
    expect([await run.ended(), machine.wrote('allowed')]).toEqual([0, 'ran']);
  });

  it('says what is possible for a command that it does not have', async () => {
    const { code, err } = await agent('serve');
    expect([code, err]).toEqual([2, expect.stringMatching(/unknown command 'serve'/)]);
  });
});
