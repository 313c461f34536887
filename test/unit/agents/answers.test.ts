import { ANSWER_KINDS, answerTo, failureOf, type Ending } from '../../../src/agents/answers';
import { hookOutput } from '../../../src/agents/claude-code/claude-code-hook';
import { APPROVAL_TOOLS } from '../../../src/agents/mcp/mcp-tools';
import { DomainError, InvalidInput } from '../../../src/kernel/errors';
import { anApproval, settled } from '../cards/approval-samples';

const pending = { ...anApproval(), status: 'pending' as const };
const NOT_A_NO = /nobody said no/;

const ended = (
  status: 'approved' | 'rejected' | 'expired' | 'cancelled',
  reason: string | null = null,
): Ending => ({ kind: 'settled', approval: settled(pending, status, { reason }), hold: 0 });

describe('an approval', () => {
  it('lets the tool run, and is the only answer that does', () => {
    const endings = (['approved', 'rejected', 'expired', 'cancelled'] as const).map((status) =>
      ended(status),
    );
    const waits = (['deadline', 'stopping', 'gone'] as const).map((kind): Ending => ({
      kind,
      approval: pending,
    }));
    const superseded: Ending = { kind: 'superseded', approval: settled(pending, 'approved') };
    const answers = [...[...endings, ...waits, superseded].map(answerTo), failureOf(new Error('any'))];
    expect(answers.map(({ kind }) => kind)).toEqual(ANSWER_KINDS);
    expect(answers.filter(({ allow }) => allow).map(({ kind }) => kind)).toEqual(['approved']);
  });

  it('of a request whose input was erased since lets nothing run', () => {
    const { approval } = ended('approved') as Extract<Ending, { kind: 'settled' }>;
    const erasure = {
      by: { kind: 'api', id: 'maria', name: 'maria' },
      at: new Date(0),
      reason: 'x',
    } as const;
    const ending: Ending = { kind: 'settled', approval: { ...approval, toolInput: {}, erasure }, hold: 0 };
    const answer = answerTo(ending);
    expect(answer).toMatchObject({ kind: 'failed', allow: false });
    expect(JSON.stringify(hookOutput('PreToolUse', { answer, ending }))).toContain('"deny"');
    expect(JSON.stringify(APPROVAL_TOOLS.get('approve')?.result({ answer, ending }))).toContain('deny');
  });

  it('that settles while the wait ends otherwise still does not let it run', () => {
    const { approval } = ended('approved');
    expect(answerTo({ kind: 'deadline', approval } as unknown as Ending).allow).toBe(false);
  });
});

describe('the model is told', () => {
  it.each([
    ['approved', null, 'Approved by Alice, without a reason.'],
    ['approved', 'go on', 'Approved by Alice: go on'],
    ['rejected', null, 'Rejected by Alice, without a reason.'],
    ['rejected', 'not on a Friday', 'Rejected by Alice: not on a Friday'],
  ] as const)('%s with the reason %s', (status, reason, message) => {
    expect(answerTo(ended(status, reason)).message).toBe(message);
  });

  it('that nobody answered and within what time, which is not no', () => {
    const { message } = answerTo(ended('expired'));
    expect(message).toMatch(/nobody answered within 30 minutes/);
    expect(message).toMatch(NOT_A_NO);
  });

  it('who cancelled and why, which is not no', () => {
    const { message } = answerTo(ended('cancelled', 'wrong branch'));
    expect(message).toMatch(/cancelled by Alice \(wrong branch\)/);
    expect(message).toMatch(NOT_A_NO);
  });

  it.each([
    ['deadline', /nobody has answered yet/],
    ['stopping', /restarting, nobody decided/],
    ['gone', /hung up/],
  ] as const)('at a %s how long the request stays open', (kind, what) => {
    const { message } = answerTo({ kind, approval: pending });
    expect(message).toMatch(what);
    expect(message).toMatch(NOT_A_NO);
    expect(message).toContain('2026-08-01T12:30:00.000Z');
  });

  it('at a deadline that nobody could be reached', () => {
    const { message } = answerTo({ kind: 'deadline', approval: { ...pending, isUnreachable: true } });
    expect(message).toMatch(/nobody could be reached yet/);
    expect(message).toMatch(NOT_A_NO);
  });

  it.each([
    [
      new InvalidInput([{ path: 'session_id', message: 'must not be empty' }]),
      /session_id: must not be empty/,
    ],
    [new DomainError('database.unavailable', 'The database does not answer.'), /database does not answer/],
    [new Error('password authentication failed for "admin"'), /something went wrong in the service/],
  ])('why it could not be asked, and no secret of ours', (error, what) => {
    const { message } = failureOf(error);
    expect(message).toMatch(what);
    expect(message).toMatch(/Nobody approved it/);
    expect(message).not.toContain('admin');
  });
});
