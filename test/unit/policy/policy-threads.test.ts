import { setImmediate as nextTurn } from 'node:timers/promises';
import { TOOL_SHAPES } from '../../../src/agents/adapters';
import { DEFAULT_LIMITS, PolicyThreads, type ThreadLimits } from '../../../src/policy/policy-threads';
import type { PastRequest } from '../../../src/policy/request-history';
import { documentOf, requestOf } from '../../support/policy-scene';

const threads = (limits: Partial<ThreadLimits> = {}) =>
  new PolicyThreads(TOOL_SHAPES, { ...DEFAULT_LIMITS, ...limits });

const RULES = [
  {
    id: 'status',
    decision: 'allow',
    match: { key: '*', tool: 'Bash', command: { argv: ['git', 'status'] } },
  },
];
const LARGE = documentOf(
  Array.from({ length: 1_000 }, (_, i) => ({
    id: `r${i}`,
    decision: 'ask',
    match: { tool: `T${i}`, path: `/a${i}/**` },
  })),
);

function past(id: string, command: string, verdict: 'approved' | 'rejected' = 'approved'): PastRequest {
  const request = requestOf({ toolInput: { command } });
  return {
    id,
    request,
    inputDigest: `sha256:${'0'.repeat(64)}`,
    at: new Date(0),
    decided: { verdict, by: 'alice' },
  };
}

async function* pages(...all: readonly PastRequest[][]): AsyncGenerator<readonly PastRequest[]> {
  for (const page of all) yield await Promise.resolve(page);
}

/** The turns that the event loop took during the work. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  const over = new AbortController();
  const done = work.finally(() => over.abort());
  let turns = 0;
  for (; !over.signal.aborted; turns++) await nextTurn();
  await done;
  return turns;
}

describe('security 21: work on policies', () => {
  it('leaves the event loop to others', async () => {
    expect(await turnsDuring(threads().check(LARGE))).toBeGreaterThan(100);
  });

  it('gives the version, the canonical form and the change of a document', async () => {
    const { read: first, ok } = await threads().check(documentOf(RULES));
    expect(ok).toBe(true);
    expect(first).toMatchObject({
      version: expect.stringMatching(/^sha256:/) as string,
      change: { added: { allow: 1, deny: 0, ask: 0 }, widens: true },
      needsSecondPerson: false,
    });
    const two = await threads().accept(documentOf([], { changes: { widening: 2 } }), null);
    const { change, needsSecondPerson } = await threads().accept(documentOf(RULES), two.document);
    expect(change.widens).toBe(true);
    expect(needsSecondPerson).toBe(true);
  });

  it('refuses a document with errors, with their places', async () => {
    await expect(threads().accept('version: 2\nrules: []\n', null)).rejects.toMatchObject({
      code: 'policy.invalid',
      findings: [expect.objectContaining({ line: 1 })],
    });
    await expect(threads().replay('version: 2\nrules: []\n', pages([past('1', 'id')]))).rejects.toMatchObject(
      {
        code: 'policy.invalid',
      },
    );
  });

  it('replays all pages of a history', async () => {
    const history = pages([past('1', 'git status'), past('2', 'id')], [past('3', 'git status', 'rejected')]);
    expect(await threads().replay(documentOf(RULES), history)).toEqual({
      requests: 3,
      allow: 2,
      deny: 0,
      ask: 1,
      byRule: { status: 2 },
      regressions: [{ approvalId: '3', rule: 'status', rejectedBy: 'alice' }],
    });
  });

  it('suggests rules from all pages of a history', async () => {
    const history = pages(
      ...Array.from({ length: 4 }, (_, i) => [past(`a${i}`, 'git status'), past(`b${i}`, 'git status')]),
    );
    const { approvals, suggestions } = await threads().suggest(null, history);
    expect(approvals).toBe(8);
    expect(suggestions).toMatchObject([{ saves: 8 }]);
  });

  it.each([
    ['time', { answerWithinMs: 1 }],
    ['memory', { maxMemoryMb: 8 }],
  ])('ends with a clear error where a document takes too much %s', async (_, limits) => {
    await expect(threads(limits).check(LARGE)).rejects.toMatchObject({
      code: 'policy.unfinished',
      message: expect.stringContaining('It takes more than') as string,
    });
  });

  it('passes on the failure of a history, and goes on with the next work', async () => {
    const own = threads();
    // eslint-disable-next-line @typescript-eslint/require-await, require-yield
    async function* broken(): AsyncGenerator<readonly PastRequest[]> {
      throw new Error('the database is gone');
    }
    await expect(own.replay(documentOf(RULES), broken())).rejects.toThrow('the database is gone');
    expect(await own.replay(documentOf(RULES), pages())).toMatchObject({ requests: 0 });
  });

  it('lets a few works wait, and refuses more', async () => {
    const own = threads();
    const works = Array.from({ length: 20 }, () =>
      own.check(documentOf(RULES)).then(
        () => 'done',
        (error: unknown) => error,
      ),
    );
    const results = await Promise.all(works);
    expect(results.filter((result) => result === 'done')).toHaveLength(11);
    expect(results.filter((result) => result !== 'done')).toEqual(
      Array(9).fill(expect.objectContaining({ code: 'access.rate-limited' })),
    );
  });
});
