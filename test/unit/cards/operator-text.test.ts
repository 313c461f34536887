import fc from 'fast-check';
import {
  PENDING_PAGE_SIZE,
  renderDigest,
  renderGapNotice,
  renderHelp,
  renderPending,
  renderStatus,
  renderWarning,
  renderWhoami,
} from '../../../src/cards/operator-text';
import type { DecidedApproval } from '../../../src/approvals/approval';
import { span, utc } from '../../../src/cards/moments';
import type { RichText } from '../../../src/cards/rich-text';
import { renderHtml } from '../../../src/channels/telegram/html';
import {
  decidedAnswer,
  expiredAnswer,
  notOperatorAnswer,
  settledAnswer,
  unknownButtonAnswer,
} from '../../../src/channels/telegram/operators/tap-answers';
import { formatText } from '../../../src/sandbox/formatted-text';
import { anApproval, hostileApproval, settled } from './approval-samples';
import { hostileText, UNSEEN_BUT_LINE_END } from './hostile-text';

const NOW = new Date('2026-08-01T12:25:00Z');

function expectSound(message: RichText, allowed: readonly string[] = []): void {
  const held = formatText(renderHtml(message), 'HTML');
  expect(held.text).toBe(message.text);
  expect(message.text.length).toBeLessThanOrEqual(4096);
  expect(message.text).not.toMatch(UNSEEN_BUT_LINE_END);
  expect(held.entities.length).toBeLessThanOrEqual(90);
  for (const { type } of held.entities) expect(['code', 'bold', 'date_time', ...allowed]).toContain(type);
}

describe('messages with words from outside', () => {
  it('are sound whatever those are', () => {
    const page = fc.array(hostileApproval, { maxLength: 12 });
    fc.assert(
      fc.property(page, hostileText, hostileApproval, (approvals, name, approval) => {
        expectSound(renderPending(approvals, 1000, NOW));
        expectSound(renderWarning(approval, NOW));
        expectSound(renderWhoami({ id: '5', name, operator: false }));
      }),
      { numRuns: 200 },
    );
  });
});

describe('telegram.md 18: the warning before the timeout', () => {
  it('says what, how long and until when, relative and absolute', () => {
    const warning = renderWarning(anApproval(), NOW);
    expect(warning.text).toBe(
      '⏳ Nobody has decided yet on Bash\n' +
        'Asked by API key deploy-key, which calls itself deployer\n' +
        'It expires in 5 min, at 2026-08-01 12:30:00 UTC. Then the agent is told that nobody answered.\n' +
        'Request: 456789ab',
    );
    expect(renderHtml(warning)).toContain('<tg-time unix="1785587400" format="r">in 5 min</tg-time>');
  });
});

describe('the digest', () => {
  it.each([
    [1, '1 more request waits for a decision'],
    [12, '12 more requests wait for a decision'],
  ])('counts %d and points to /pending', (count, words) => {
    expect(renderDigest(count).text).toContain(words);
    expect(renderDigest(count).text).toContain('/pending');
    expectSound(renderDigest(count), ['bot_command']);
  });
});

describe('the list of what is pending', () => {
  it('shows each request in one glance', () => {
    const request = anApproval({ toolInput: { command: `cd /srv\n  make\n${'x'.repeat(300)}` } });
    const { text } = renderPending([request], 1, NOW);
    expect(text).toMatch(
      /^📥 Waiting for a decision: 1\n\n456789ab · Bash · expires in 5 min\nAsked by API key deploy-key, which calls itself deployer\ncd \/srv make x+…$/,
    );
  });

  it('says how many there are beyond the page, and never lists more than a page', () => {
    const page = Array.from({ length: PENDING_PAGE_SIZE + 5 }, () => anApproval());
    const { text } = renderPending(page, 40, NOW);
    expect(text).toContain(`Waiting for a decision: ${PENDING_PAGE_SIZE} of 40`);
    expect(text.match(/expires in/g)).toHaveLength(PENDING_PAGE_SIZE);
  });

  it('marks an action without any text', () => {
    const { text } = renderPending([anApproval({ toolInput: { command: '' } })], 1, NOW);
    expect(text).toMatch(/\n\(empty\)$/);
  });

  it('says when there is nothing', () => {
    expect(renderPending([], 0, NOW).text).toBe('✅ Nothing is waiting for a decision.');
  });
});

describe('the other answers to commands', () => {
  it('report the state of the service', () => {
    expect(
      renderStatus({ pending: 2, unsent: 1, nextExpiry: new Date('2026-08-01T12:30:00Z') }, NOW).text,
    ).toBe(
      'Waiting for a decision: 2\nNext to expire: in 5 min, at 2026-08-01 12:30:00 UTC\nMessages not sent yet: 1',
    );
    expect(renderStatus({ pending: 0, unsent: 0, nextExpiry: null }, NOW).text).not.toContain('Next');
  });

  it('tell people who they are here', () => {
    expect(renderWhoami({ id: '7', name: 'Bob', operator: true }).text).toBe(
      '👤 Bob, Telegram id 7\n✅ You are an operator: you may decide.',
    );
    expect(renderWhoami({ id: '7', name: 'Bob', operator: false }).text).toContain('You are not an operator');
  });

  it('explain the commands', () => {
    for (const command of ['/pending', '/status', '/whoami', '/help'])
      expect(renderHelp().text).toContain(command);
    expectSound(renderHelp(), ['bot_command']);
  });

  it('say that taps may be lost', () => {
    const notice = renderGapNotice(new Date('2026-08-01T12:00:00Z'), NOW, 1);
    expect(notice.text).toContain('from 2026-08-01 12:00:00 UTC to 2026-08-01 12:25:00 UTC');
    expect(notice.text).toContain('1 request waits');
    expect(renderGapNotice(NOW, NOW, 3).text).toContain('3 requests wait');
    expectSound(notice, ['bot_command']);
  });
});

describe('answers to taps', () => {
  it('tell the true outcome', () => {
    const pending = anApproval();
    expect(decidedAnswer(settled(pending, 'approved') as DecidedApproval)).toContain('Approved by you');
    expect(decidedAnswer(settled(pending, 'rejected') as DecidedApproval)).toContain('Rejected by you');
    expect(settledAnswer(settled(pending, 'approved'))).toBe(
      '✅ Already approved by Alice at 2026-08-01 12:03:10 UTC.',
    );
    expect(settledAnswer(settled(pending, 'rejected'))).toContain('Already rejected by Alice');
    expect(settledAnswer(settled(pending, 'cancelled'))).toContain('Already cancelled by Alice');
    expect(settledAnswer(settled(pending, 'expired'))).toBe(expiredAnswer(pending.expiresAt));
    expect(expiredAnswer(pending.expiresAt)).toContain(
      'expired at 2026-08-01 12:30:00 UTC. Nothing was approved',
    );
    expect(notOperatorAnswer('42')).toContain('42');
    expect(unknownButtonAnswer()).toContain('not valid');
  });

  it('fit into the limit, whatever the name', () => {
    fc.assert(
      fc.property(hostileText, (name) => {
        const by = { kind: 'person' as const, channel: 'telegram' as const, id: name, name };
        for (const status of ['approved', 'rejected', 'cancelled'] as const) {
          const answer = settledAnswer(settled(anApproval(), status, { by }));
          expect(answer.length).toBeLessThanOrEqual(200);
          expect(answer).not.toMatch(UNSEEN_BUT_LINE_END);
        }
        expect(notOperatorAnswer(name).length).toBeLessThanOrEqual(200);
      }),
    );
  });
});

describe('times', () => {
  it.each([
    [45, '45 s'],
    [60, '1 min'],
    [570, '9 min 30 s'],
    [3600, '1 h'],
    [7500, '2 h 5 min'],
    [-5, '0 s'],
  ])('of %d seconds read %s', (seconds, expected) => {
    expect(span(0, seconds * 1000)).toBe(expected);
  });

  it('are UTC, and say so', () => {
    expect(utc(new Date('2026-08-01T12:30:00.999Z'))).toBe('2026-08-01 12:30:00 UTC');
  });
});
