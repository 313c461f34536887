import { Api, requestBody } from '../support/api';
import { openTestApp } from '../support/open-app';
import { ownService } from '../support/own-service';
import { Scrape } from '../support/scrape';
import { until } from '../support/until';
import { AGENT_KEY } from '../support/well-known';

const LIMIT = 4096 * 1024;

const service = ownService({
  APPROVAL_MAX_PENDING_MIB_PER_AGENT: '1024',
  RATE_LIMIT_AGENT_MIB_PER_HOUR: '1024',
});

const write = (content: string) => requestBody({ toolName: 'Write', toolInput: { content } });

/** A request of exactly so many bytes. */
function ofBytes(bytes: number): string {
  const empty = JSON.stringify(write(''));
  return JSON.stringify(write('x'.repeat(bytes - empty.length)));
}

const hook = (command: string) => ({
  hook_event_name: 'PreToolUse',
  session_id: 's',
  tool_name: 'Bash',
  tool_input: { command },
  tool_use_id: 'toolu_1',
});

interface Said {
  readonly code?: string;
  readonly detail?: string;
  readonly hookSpecificOutput?: { permissionDecision: string; permissionDecisionReason: string };
}

const post = (path: string, body: unknown, role: 'agent' | 'operator' | null = 'agent') =>
  service.api.call<Said>(role, 'POST', path, body);

it.each([
  ['200 000 Chinese characters', '文'.repeat(200_000)],
  ['1 MB of text', 'a line of text\n'.repeat(70_000)],
  ['an image of 293 kB in Base64', Buffer.alloc(220_000, 7).toString('base64')],
])('a Write of %s is taken, and comes back as it was', async (_what, content) => {
  const { status, body } = await service.api.enqueue(write(content));
  expect(status).toBe(201);
  expect((await service.api.get(body.id)).body.toolInput).toEqual({ content });
  expect((await service.api.decide(body.id, 'approved')).body.status).toBe('approved');
});

it('a body of exactly the limit is taken, and one byte more is refused by name', async () => {
  expect((await post('/api/approvals', ofBytes(LIMIT))).status).toBe(201);
  const { status, body } = await post('/api/approvals', ofBytes(LIMIT + 1));
  expect([status, body.code]).toEqual([413, 'request.too-large']);
  expect(body.detail).toContain('The body is 4.1 MiB; at most 4 MiB is taken here.');
});

it('pages of the largest requests hold one each, and lead on', async () => {
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) {
    const { body } = await service.api.call('agent', 'POST', '/api/approvals', ofBytes(LIMIT));
    ids.unshift(body.id);
  }
  const listed: string[] = [];
  let cursor = '';
  while (listed.length < ids.length) {
    const { body } = await service.api.call<{ items: { id: string }[]; nextCursor: string | null }>(
      'agent',
      'GET',
      `/api/approvals?limit=200${cursor}`,
    );
    expect(body.items).toHaveLength(1);
    listed.push(...body.items.map(({ id }) => id));
    cursor = `&cursor=${body.nextCursor}`;
  }
  expect(listed).toEqual(ids);
});

it('all who wait for one of the largest requests are answered, a few in a turn', async () => {
  const { body } = await service.api.call('agent', 'POST', '/api/approvals', ofBytes(LIMIT));
  const waits = Array.from({ length: 6 }, () => service.api.get(body.id, 55));
  await until('they wait', () => service.app.feed.size === 6);
  await service.api.decide(body.id, 'approved');
  for (const answer of await Promise.all(waits)) expect(answer.body.status).toBe('approved');
});

it('a body whose length is not announced is refused at the limit, which is named', async () => {
  const pieces = Array.from({ length: 60 }, () => Buffer.alloc(100_000, 'a'));
  const response = await fetch(`${service.app.url}/api/approvals`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${AGENT_KEY}` },
    body: ReadableStream.from(pieces) as RequestInit['body'],
    duplex: 'half',
  } as RequestInit);
  expect(response.status).toBe(413);
  expect(await response.text()).toContain('more than 4 MiB; at most 4 MiB');
});

it('the hook denies a tool use that is too large, and says what to do', async () => {
  const { status, body } = await post('/connectors/claude-code/hook', hook('x'.repeat(5_000_000)));
  expect(status).toBe(200);
  expect(body.hookSpecificOutput?.permissionDecision).toBe('deny');
  expect(body.hookSpecificOutput?.permissionDecisionReason).toMatch(
    /4\.8 MiB; at most 4 MiB.*in several parts/,
  );
});

it.each([
  ['a decision', 'operator', '/api/approvals/0190c8a0-0000-7000-8000-000000000000/decision'],
  ['an acknowledgement', 'agent', '/api/approvals/0190c8a0-0000-7000-8000-000000000000/ack'],
  ['a request of a caller without a key', null, '/api/approvals'],
] as const)('%s may not be so large', async (_what, role, path) => {
  const { status, body } = await post(path, { reason: 'x'.repeat(300_000) }, role);
  expect(status).toBe(413);
  expect(body.detail).toContain('293 KiB; at most 256 KiB');
});

it('operators find what was refused: one audit row and log line a minute, and every one is counted', async () => {
  const before = (await Scrape.of(service.app.url)).value('access_refusals_total', {
    reason: 'too-large',
    channel: 'api',
  });
  const rows = () =>
    service.database.query<{ actor: string; data: string }>(
      `select actor, data from audit_log where type = 'request.too-large' and actor = 'api:bootstrap-agent'`,
    );
  const lines = () => service.app.events.filter(({ event }) => event === 'http.body-refused').length;
  const [rowsBefore, linesBefore] = [(await rows()).length, lines()];
  for (let n = 0; n < 5; n++) await post('/api/approvals', ofBytes(LIMIT + 1));
  const after = (await Scrape.of(service.app.url)).value('access_refusals_total', {
    reason: 'too-large',
    channel: 'api',
  });
  expect(after - before).toBe(5);
  // The minute may have changed.
  expect((await rows()).length - rowsBefore).toBeLessThanOrEqual(2);
  expect(lines() - linesBefore).toBeLessThanOrEqual(2);
  const found = await rows();
  expect(JSON.parse(found.at(-1)?.data ?? '')).toMatchObject({ route: '/api/approvals', limitBytes: LIMIT });
});

it('a smaller limit is kept', async () => {
  const small = await openTestApp(service.database.url, { HTTP_BODY_LIMIT_KIB: '100' });
  try {
    const { status, body } = await new Api(small.url).call<Said>(
      'agent',
      'POST',
      '/api/approvals',
      ofBytes(102_401),
    );
    expect(status).toBe(413);
    expect(body.detail).toContain('101 KiB; at most 100 KiB');
  } finally {
    await small.close();
  }
});
