import { renderCounts } from '../../../src/cards/digest-text';
import { renderAnnouncement } from '../../../src/cards/announcement-text';
import { renderToday } from '../../../src/cards/operator-text';
import type { DecisionCounts } from '../../../src/kernel/announcement';

const NOTHING: DecisionCounts = {
  allowed: 0,
  rules: [],
  byGrant: 0,
  denied: 0,
  approved: 0,
  rejected: 0,
  expired: 0,
  cancelled: 0,
  medianSeconds: null,
};
const MUCH: DecisionCounts = {
  ...NOTHING,
  allowed: 214,
  rules: [
    { rule: 'project-tests', count: 160 },
    { rule: 'read-git', count: 54 },
  ],
  denied: 1,
  approved: 8,
  rejected: 1,
  medianSeconds: 40.2,
};

const textOf = (counts: Partial<DecisionCounts>) => renderCounts({ ...NOTHING, ...counts })?.text ?? null;

describe('a digest', () => {
  it('counts by who decided, names the rules, and gives the median of the answers', () => {
    expect(textOf(MUCH)).toBe(
      '214 allowed by rule (project-tests 160, read-git 54), 1 denied, 9 asked: 8 approved, 1 rejected, median answer 40 s.',
    );
  });

  it('counts what grants allowed', () => {
    expect(textOf({ ...MUCH, byGrant: 3 })).toContain('read-git 54), 3 by grant, 1 denied');
    expect(textOf({ byGrant: 3 })).toBe('3 allowed by grant.');
  });

  it('counts the rules together that it does not name', () => {
    expect(textOf({ ...MUCH, allowed: 220 })).toContain(
      '220 allowed by rule (project-tests 160, read-git 54, others 6)',
    );
  });

  it('says what nobody answered, without a median', () => {
    expect(textOf({ expired: 2, cancelled: 1 })).toBe('3 asked: 2 expired, 1 cancelled.');
  });

  it('of nothing has no text', () => {
    expect(textOf({})).toBeNull();
  });

  it('names its interval in UTC', () => {
    const fromMs = Date.parse('2026-03-04T10:00:00Z');
    const { text } = renderAnnouncement({
      event: 'digest',
      fromMs,
      toMs: fromMs + 3_600_000,
      atMs: 0,
      counts: MUCH,
    });
    expect(text).toMatch(/^📊 Digest 2026-03-04 10:00:00 UTC – 2026-03-04 11:00:00 UTC\n214 allowed/);
  });
});

it('/today says since when it counts', () => {
  expect(renderToday(MUCH).text).toMatch(/^📊 Today, since midnight UTC\n214 allowed by rule/);
  expect(renderToday(NOTHING).text).toBe('📊 Today, since midnight UTC\nNothing was decided yet.');
});
