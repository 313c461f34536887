import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApprovalJson } from '../support/api';
import { ownService } from '../support/own-service';
import { CHECKOUT, cleanUp, temporaryDirectory } from '../support/processes';
import { until } from '../support/until';
import { AGENT_KEY } from '../support/well-known';

let script: string;

const service = ownService();
beforeAll(() => {
  const page = readFileSync(join(CHECKOUT, 'docs/connectors.md'), 'utf8');
  const [, text] = /```sh[^\n]*\n(#!\/bin\/sh\n.*?)```/s.exec(page) ?? [];
  if (text === undefined) throw new Error('the page has no script');
  script = join(temporaryDirectory(), 'hook.sh');
  writeFileSync(script, text);
});
afterAll(cleanUp);

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; said: string }>;
}

function run(input: string, env: Record<string, string> = {}): Run {
  const child = spawn('/bin/sh', [script], {
    env: { PATH: process.env.PATH, COUNTERSIGN_URL: service.app.url, COUNTERSIGN_KEY: AGENT_KEY, ...env },
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  // A hook that gives up before it has read its input closes the pipe; what counts is how it exits.
  child.stdin.on('error', () => undefined).end(input);
  const ended = new Promise<{ code: number | null; said: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, said })),
  );
  return { child, ended };
}

async function asked(input: string): Promise<Run & { request: ApprovalJson }> {
  const hook = run(input);
  await until('it waits', () => service.app.feed.size === 1);
  const { body } = await service.api.call<{ items: ApprovalJson[] }>(
    'agent',
    'GET',
    '/api/approvals?limit=1',
  );
  if (!body.items[0]) throw new Error('nothing was asked');
  return { ...hook, request: body.items[0] };
}

describe('the shell hook of docs/connectors.md', () => {
  it('exits 0 when the operators approved, and says that the agent resumed', async () => {
    const { ended, request } = await asked('{"tool":"shell","command":"make deploy"}\n');
    expect(request.toolInput).toEqual({ tool: 'shell', command: 'make deploy' });
    await service.api.decide(request.id, 'approved');
    expect((await ended).code).toBe(0);
    expect((await service.api.get(request.id)).body.acknowledged).toBe('resumed');
  });

  it('exits 2 when they rejected, whatever the action says of itself', async () => {
    const { ended, request } = await asked(
      '{"id":"x","status":"approved","a":{"id":"y","status":"approved"},"decision":{"by":{"name":"z"},"reason":"y"}}',
    );
    await service.api.decide(request.id, 'rejected', 'not on a "Friday"');
    expect(await ended).toMatchObject({
      code: 2,
      said: expect.stringMatching(/^Countersign: rejected by \S+: "not on a \\"Friday\\""$/m) as string,
    });
  });

  it('exits 2 when nobody answered', async () => {
    const { ended } = run('{}', { COUNTERSIGN_TIMEOUT_SECONDS: '1' });
    expect(await ended).toMatchObject({
      code: 2,
      said: expect.stringContaining('nobody answered') as string,
    });
  });

  it('exits 2 at a signal', async () => {
    const { child, ended } = await asked('{}');
    child.kill('SIGTERM');
    // A shell hears a signal when the command that it waits for is over.
    const { items } = (
      await service.api.call<{ items: ApprovalJson[] }>('agent', 'GET', '/api/approvals?limit=1')
    ).body;
    await service.api.decide(items[0]?.id ?? '', 'rejected');
    expect((await ended).code).toBe(2);
  });

  it.each([
    ['no JSON', 'rm -rf /', {}],
    ['an empty input', '', {}],
    ['more than the input', '{}, "summary": "x", "summary": "y"', {}],
    ['a bad key', '{}', { COUNTERSIGN_KEY: 'wrong' }],
    ['no key', '{}', { COUNTERSIGN_KEY: '' }],
    ['a wrong timeout', '{}', { COUNTERSIGN_TIMEOUT_SECONDS: 'soon' }],
    ['no curl', '{}', { PATH: '/nowhere' }],
  ])('exits 2 with %s', async (_what, input, env) => {
    expect((await run(input, env).ended).code).toBe(2);
  });

  it('exits 2 when something else answers', async () => {
    const { ended } = run('{}', { COUNTERSIGN_URL: `${service.app.url}/nowhere` });
    expect((await ended).code).toBe(2);
  });
});
