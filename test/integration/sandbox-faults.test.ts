import { GROUP, OTHER_TOKEN, TOKEN, eachTestItsSandbox } from '../support/sandbox-driver';

const sandbox = eachTestItsSandbox();

/** The status and text of a bare request, or the code of what cut it. */
async function bare(
  method: string,
  params: object = {},
  timeoutMs = 60_000,
): Promise<{ status: number; text: string; type: string | null }> {
  const response = await fetch(`${sandbox().url}/bot${TOKEN}/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(params),
    signal: AbortSignal.timeout(timeoutMs),
  });
  return { status: response.status, text: await response.text(), type: response.headers.get('content-type') };
}

const texts = async (): Promise<string[]> => (await sandbox().messages()).map((m) => m.text);
const message = { chat_id: GROUP, text: 'hello' };

it.each([
  [{ status: 500 }, { code: 500, description: 'Internal Server Error' }],
  [{ status: 502 }, { code: 502, description: 'Bad Gateway' }],
  [{ status: 401 }, { code: 401, description: 'Unauthorized' }],
  [{ status: 403 }, { code: 403, description: 'Forbidden: bot was blocked by the user' }],
  [
    { status: 429, retryAfter: 10_000 },
    { code: 429, description: 'Too Many Requests: retry after 10000', parameters: { retry_after: 10_000 } },
  ],
  [
    { status: 400, description: 'Bad Request: odd' },
    { code: 400, description: 'Bad Request: odd' },
  ],
])('%j: nothing happens, the next call is well', async (fault, refusal) => {
  await sandbox().fault({ method: 'sendMessage', count: 1, ...fault });
  expect(await sandbox().refused('sendMessage', message)).toEqual(refusal);
  expect(await texts()).toEqual([]);
  await sandbox().send();
  expect(await texts()).toEqual(['hello']);
});

it('a fault for a method or a chat spares the others', async () => {
  await sandbox().fault({ method: 'sendMessage', count: 5, chat: 7, status: 500 });
  await sandbox().send();
  await sandbox().call('getMe', {}, OTHER_TOKEN);
  expect((await sandbox().refused('sendMessage', { chat_id: 7, text: 'a' })).code).toBe(500);
  await sandbox().control('DELETE', 'faults');
  await expect(sandbox().send({ chat_id: 7 })).resolves.toBeDefined();
});

it('reset before: the connection is cut and nothing has happened', async () => {
  await sandbox().fault({ method: '*', reset: 'before' });
  await expect(sandbox().send()).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } });
  expect(await texts()).toEqual([]);
});

it('reset after: it has happened and nobody heard', async () => {
  await sandbox().fault({ method: '*', reset: 'after' });
  await expect(sandbox().send()).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } });
  expect(await texts()).toEqual(['hello']);
  expect(await sandbox().calls()).toMatchObject([{ method: 'sendMessage', status: 0, fault: true }]);
});

it.each(['html', 'truncated', 'empty'] as const)(
  'body %s: it has happened and the answer is spoiled',
  async (body) => {
    await sandbox().fault({ method: 'sendMessage', body });
    const { status, text } = await bare('sendMessage', message);
    expect(status).toBe(200);
    expect(() => JSON.parse(text) as unknown).toThrow();
    expect(text.startsWith({ html: '<html>', truncated: '{"ok":true', empty: '' }[body])).toBe(true);
    expect(await texts()).toEqual(['hello']);
  },
);

it("a gateway's error page: nothing has happened", async () => {
  await sandbox().fault({ method: 'sendMessage', status: 502, body: 'html' });
  expect(await bare('sendMessage', message)).toMatchObject({
    status: 502,
    type: 'text/html',
  });
  expect(await texts()).toEqual([]);
});

it('stall: half an answer, then silence until the client gives up', async () => {
  await sandbox().fault({ method: 'sendMessage', body: 'stall' });
  await expect(bare('sendMessage', message, 150)).rejects.toMatchObject({ name: 'TimeoutError' });
  expect(await texts()).toEqual(['hello']);
});

it('drip: a byte at a time, whole in the end', async () => {
  await sandbox().fault({ method: 'getMyCommands', body: 'drip' });
  const began = performance.now();
  const { text } = await bare('getMyCommands', {}, 20_000);
  expect(JSON.parse(text)).toEqual({ ok: true, result: [] });
  expect(performance.now() - began).toBeGreaterThan((text.length - 2) * 100);
});

it('delay: late, but done even when the client has gone', async () => {
  await sandbox().fault({ method: 'sendMessage', delayMs: 500 });
  await expect(bare('sendMessage', message, 50)).rejects.toMatchObject({ name: 'TimeoutError' });
  while ((await texts()).length === 0);
  expect(await texts()).toEqual(['hello']);
});

it('closing does not wait for stalled or delayed calls', async () => {
  await sandbox().fault({ method: 'sendMessage', body: 'stall' });
  await sandbox().fault({ method: 'sendMessage', delayMs: 600_000 });
  const cut = [bare('sendMessage', message), bare('sendMessage', message)].map((call) =>
    expect(call).rejects.toThrow(),
  );
  let calls: unknown[] = [];
  while (calls.length < 2) calls = await sandbox().calls();
  await sandbox().close();
  await Promise.all(cut);
});
