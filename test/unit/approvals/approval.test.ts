import {
  acknowledge,
  ACKNOWLEDGEMENTS,
  AlreadyAcknowledged,
  AlreadySettled,
  cancel,
  decide,
  Expired,
  expire,
  NotDecidable,
  NotSettled,
  inputOf,
  possibleVerdicts,
  unansweredReason,
  type Approval,
} from '../../../src/approvals/approval';
import { TIMEOUT_ACTOR, type Person } from '../../../src/kernel/actor';
import { InvalidInput, type DomainError } from '../../../src/kernel/errors';

const OLIVIA: Person = { kind: 'person', channel: 'telegram', id: '1', name: 'Olivia' };
const OTTO: Person = { kind: 'person', channel: 'telegram', id: '2', name: 'Otto' };
/** The same id as Olivia's, in another name space. */
const KEY_ONE: Person = { kind: 'person', channel: 'api', id: '1', name: 'ci' };

const CREATED = new Date('2026-01-01T00:00:00.000Z');
const EXPIRES = new Date('2026-01-01T00:30:00.000Z');
const at = (msFromExpiry: number) => new Date(EXPIRES.getTime() + msFromExpiry);

const pending: Approval = {
  id: '019b0000-0000-7000-8000-000000000001',
  keyId: 'key-1',
  owner: null,
  agentId: 'claude-code',
  sessionId: 'session-1',
  toolName: 'Bash',
  toolInput: { command: 'ls' },
  toolUseId: null,
  summary: null,
  cwd: null,
  metadata: {},
  connector: null,
  policy: null,
  required: null,
  decisions: [],
  inputDigest: 'sha256:00',
  correlationId: 'test',
  traceparent: null,
  createdAt: CREATED,
  expiresAt: EXPIRES,
  status: 'pending',
};
const approved = decide(pending, OLIVIA, 'approved', 'looks right', at(-1000));
const rejected = decide(pending, OLIVIA, 'rejected', null, at(-1000));
const cancelled = cancel(pending, KEY_ONE, 'not needed', at(-1000));
const expired = expire(pending, 0, EXPIRES);

function thrownBy(attempt: () => unknown): unknown {
  try {
    return attempt();
  } catch (error) {
    return error;
  }
}

describe('deciding', () => {
  it.each(['approved', 'rejected'] as const)(
    'settles a pending request as %s, with who, when and why',
    (verdict) => {
      expect(decide(pending, OLIVIA, verdict, 'because', at(-1))).toEqual({
        ...pending,
        status: verdict,
        settledAt: at(-1),
        receipt: null,
        decision: { by: OLIVIA, reason: 'because' },
        acknowledged: null,
      });
    },
  );

  it('leaves the request it was given untouched', () => {
    expect(pending.status).toBe('pending');
    expect(approved).not.toBe(pending);
  });

  it('is possible one millisecond before expiresAt, and refused at expiresAt exactly and after it', () => {
    expect(decide(pending, OLIVIA, 'approved', null, at(-1)).status).toBe('approved');
    for (const late of [0, 1, 3_600_000]) {
      expect(() => decide(pending, OLIVIA, 'approved', null, at(late))).toThrow(Expired);
    }
  });

  it('answers the same verdict by the same operator with the first one, whatever reason and hour', () => {
    expect(decide(approved, OLIVIA, 'approved', 'another reason', at(5000))).toBe(approved);
    expect(decide(rejected, { ...OLIVIA, name: 'renamed' }, 'rejected', null, at(5000))).toBe(rejected);
  });

  it.each([
    ['the other verdict by the same operator', approved, OLIVIA, 'rejected'],
    ['the same verdict by another operator', approved, OTTO, 'approved'],
    ['the same verdict by another kind of actor with the same id', approved, KEY_ONE, 'approved'],
    ['approving what was rejected', rejected, OLIVIA, 'approved'],
    ['approving what was cancelled', cancelled, OLIVIA, 'approved'],
    ['approving what was cancelled, by who cancelled it', cancelled, KEY_ONE, 'approved'],
    ['approving what expired', expired, OLIVIA, 'approved'],
    ['rejecting what expired', expired, OLIVIA, 'rejected'],
  ] as const)('refuses %s and shows the true state', (_what, settled, by, verdict) => {
    const error = thrownBy(() => decide(settled, by, verdict, null, at(-1)));
    expect(error).toBeInstanceOf(AlreadySettled);
    expect(error).toMatchObject({ code: 'approval.already-settled', approval: settled });
  });
});

describe('cancelling', () => {
  it('settles a pending request with who, when and why', () => {
    expect(cancel(pending, KEY_ONE, 'not needed', at(-1))).toEqual({
      ...pending,
      status: 'cancelled',
      settledAt: at(-1),
      receipt: null,
      by: KEY_ONE,
      reason: 'not needed',
      acknowledged: null,
    });
  });

  it('is refused at expiresAt exactly and after it', () => {
    for (const late of [0, 1]) expect(() => cancel(pending, KEY_ONE, null, at(late))).toThrow(Expired);
  });

  it('answers the same caller with the first cancellation', () => {
    expect(cancel(cancelled, KEY_ONE, 'again', at(1))).toBe(cancelled);
  });

  it.each([
    ['cancelled by somebody else', cancelled, OLIVIA],
    ['approved', approved, OLIVIA],
    ['rejected', rejected, OLIVIA],
    ['expired', expired, KEY_ONE],
  ] as const)('refuses what was %s and shows the true state', (_what, settled, by) => {
    expect(thrownBy(() => cancel(settled, by, null, at(-1)))).toMatchObject({ approval: settled });
  });
});

describe('expiring', () => {
  it('settles by the timeout at expiresAt exactly, and not a millisecond before', () => {
    expect(expire(pending, 0, at(-1))).toBe(pending);
    expect(expire(pending, 0, at(0))).toEqual({
      ...pending,
      status: 'expired',
      settledAt: EXPIRES,
      receipt: null,
      by: TIMEOUT_ACTOR,
      reason: 'nobody answered within 30 minutes',
      acknowledged: null,
    });
  });

  it('waits for the grace period, in which decisions are refused already', () => {
    expect(expire(pending, 5000, at(4999)).status).toBe('pending');
    expect(expire(pending, 5000, at(5000)).status).toBe('expired');
    expect(() => decide(pending, OLIVIA, 'approved', null, at(4999))).toThrow(Expired);
  });

  it.each([approved, rejected, cancelled, expired])('leaves what is $status as it is', (settled) => {
    expect(expire(settled, 0, at(1e9))).toBe(settled);
  });
});

describe('acknowledging', () => {
  const settled = expire(pending, 0, EXPIRES);

  it('is refused while the request is pending', () => {
    expect(thrownBy(() => acknowledge(pending, 'gone'))).toBeInstanceOf(NotSettled);
  });

  it.each([approved, rejected, cancelled, expired])(
    'notes on what is $status what the agent did',
    (ended) => {
      expect(acknowledge(ended, 'resumed')).toEqual({ ...ended, acknowledged: 'resumed' });
      expect(acknowledge(ended, 'gone')).toEqual({ ...ended, acknowledged: 'gone' });
    },
  );

  it('changes nothing when it is said again', () => {
    const resumed = acknowledge(settled, 'resumed');
    expect(acknowledge(resumed, 'resumed')).toBe(resumed);
  });

  it('only ever says more than before', () => {
    const may = ACKNOWLEDGEMENTS.flatMap((before) => {
      const known = acknowledge(settled, before);
      const after = ACKNOWLEDGEMENTS.filter((outcome) => {
        try {
          return outcome !== before && acknowledge(known, outcome).acknowledged === outcome;
        } catch {
          return false;
        }
      });
      return after.map((outcome) => `${before} → ${outcome}`);
    });
    expect(may).toEqual([
      ...['gone → answered', 'gone → resumed', 'gone → ran', 'gone → failed'],
      ...['answered → resumed', 'answered → ran', 'answered → failed'],
      ...['resumed → ran', 'resumed → failed'],
    ]);
  });

  it('lets an agent that was thought gone come back, and none that went on be gone', () => {
    expect(acknowledge(acknowledge(settled, 'gone'), 'resumed').acknowledged).toBe('resumed');
    const resumed = acknowledge(settled, 'resumed');
    expect(thrownBy(() => acknowledge(resumed, 'gone'))).toBeInstanceOf(AlreadyAcknowledged);
  });
});

describe('a question', () => {
  const options = [{ label: 'Red' }, { label: 'Blue' }];
  const toolInput = { questions: [{ question: 'Which?', options }] };
  const question: Approval = { ...pending, toolName: 'AskUserQuestion', toolInput };
  const unknownForm: Approval = { ...question, toolInput: {} };
  const atTerminal: Approval = { ...unknownForm, connector: 'hook' };
  const RED = { 'Which?': ['Red'] };

  it('is approved by answers only, and can be rejected', () => {
    expect(possibleVerdicts(pending)).toEqual(['approved', 'rejected']);
    expect(possibleVerdicts(question)).toEqual(['rejected']);
    expect(thrownBy(() => decide(question, OLIVIA, 'approved', null, at(-1)))).toBeInstanceOf(NotDecidable);
    const answered = decide(question, OLIVIA, 'approved', null, at(-1), RED);
    expect(answered).toMatchObject({ status: 'approved', decision: { answers: RED } });
    expect(inputOf(answered)).toEqual({ ...toolInput, answers: { 'Which?': 'Red' } });
    expect(decide(answered, OLIVIA, 'approved', null, at(-1), RED)).toBe(answered);
    for (const answers of [{ 'Which?': ['Blue'] }, {}])
      expect(thrownBy(() => decide(answered, OLIVIA, 'approved', null, at(-1), answers))).toBeInstanceOf(
        AlreadySettled,
      );
    expect(decide(question, OLIVIA, 'rejected', null, at(-1)).status).toBe('rejected');
  });

  it('takes no answers that do not fit, nor does another call', () => {
    for (const [asked, verdict, answers] of [
      [question, 'approved', { 'What?': ['Red'] }],
      [question, 'rejected', RED],
      [pending, 'approved', RED],
      [unknownForm, 'approved', RED],
    ] as const)
      expect(thrownBy(() => decide(asked, OLIVIA, verdict, null, at(-1), answers))).toBeInstanceOf(
        InvalidInput,
      );
  });

  it('of an unknown form cannot be approved, and rejected only where somebody waits for that', () => {
    expect(possibleVerdicts(unknownForm)).toEqual(['rejected']);
    expect(possibleVerdicts(atTerminal)).toEqual([]);
    for (const verdict of ['approved', 'rejected'] as const)
      expect(thrownBy(() => decide(atTerminal, OLIVIA, verdict, null, at(-1)))).toBeInstanceOf(NotDecidable);
  });

  it('can be taken back, and its time can run out', () => {
    expect(cancel(atTerminal, KEY_ONE, 'answered', at(-1)).status).toBe('cancelled');
    expect(expire(atTerminal, 0, EXPIRES)).toMatchObject({
      status: 'expired',
      reason: 'no answer was reported within 30 minutes',
    });
  });
});

describe('the reason of a timeout', () => {
  it.each([
    [1, 'nobody answered within 1 second'],
    [59, 'nobody answered within 59 seconds'],
    [60, 'nobody answered within 1 minute'],
    [90, 'nobody answered within 90 seconds'],
    [1800, 'nobody answered within 30 minutes'],
  ])('of a request for %i s says: %s', (seconds, text) => {
    const expiresAt = new Date(CREATED.getTime() + seconds * 1000);
    expect(unansweredReason({ createdAt: CREATED, expiresAt })).toBe(text);
  });
});

it('a refusal says the true state in words, and which refusal it is', () => {
  const resumed = acknowledge(approved, 'resumed');
  const refusals = [
    () => decide(approved, OTTO, 'rejected', null, at(-1)),
    () => decide(pending, OLIVIA, 'approved', null, at(0)),
    () => acknowledge(pending, 'resumed'),
    () => acknowledge(resumed, 'gone'),
  ].map((refused) => thrownBy(refused) as DomainError);
  expect(refusals.map(({ name, code, message }) => [name, code, message])).toEqual([
    ['AlreadySettled', 'approval.already-settled', 'The approval is already approved.'],
    ['Expired', 'approval.expired', 'The approval expired at 2026-01-01T00:30:00.000Z.'],
    [
      'NotSettled',
      'approval.not-settled',
      'The approval is still pending; acknowledge it once it has settled.',
    ],
    [
      'AlreadyAcknowledged',
      'approval.already-acknowledged',
      'The approval is already acknowledged as resumed.',
    ],
  ]);
});

it('a timeout is settled by the system', () => {
  expect(TIMEOUT_ACTOR).toEqual({ kind: 'system', cause: 'timeout' });
});
