import { renderAnnouncement } from '../../../src/cards/announcement-text';
import type { Person } from '../../../src/kernel/actor';
import type { Announcement, PolicyChange } from '../../../src/kernel/announcement';

const MARIA: Person = { kind: 'person', channel: 'api', id: 'maria', name: 'maria' };
const OLIVIA: Person = { kind: 'person', channel: 'telegram', id: '7', name: 'Olivia' };
const AT = { atMs: Date.parse('2026-03-04T12:00:00Z') };
const NONE = { allow: 0, deny: 0, ask: 0 };
const CHANGE: PolicyChange = {
  added: { allow: 2, deny: 0, ask: 1 },
  removed: { allow: 0, deny: 1, ask: 0 },
  changed: 1,
  others: 0,
  widens: true,
};
const NEW = `sha256:${'a1'.repeat(32)}`;
const OLD = `sha256:${'b2'.repeat(32)}`;
const APPLIED: Announcement = {
  ...AT,
  event: 'policy-applied',
  by: MARIA,
  cause: 'apply',
  version: NEW,
  replaces: OLD,
  change: CHANGE,
  comment: null,
  proposedBy: null,
  overrides: false,
};

const textOf = (news: Announcement) => renderAnnouncement(news).text;

describe('the message about a change of the policy', () => {
  it('says who, what, whether it widens the policy, and where to look', () => {
    expect(textOf(APPLIED)).toBe(
      [
        '📜 Policy changed: version a1a1a1a1a1a1',
        '+2 allow, +1 ask, −1 deny, 1 rule changed. It widens the policy.',
        'By API key maria, 2026-03-04 12:00:00 UTC',
        'Read: countersign policy show a1a1a1a1a1a1',
        'Compare: countersign policy diff b2b2b2b2b2b2 a1a1a1a1a1a1',
      ].join('\n'),
    );
  });

  it('of the first policy names no version before it', () => {
    const text = textOf({ ...APPLIED, replaces: null });
    expect(text).toContain('The first policy: +2 allow');
    expect(text).not.toContain('policy diff');
  });

  it('names the first person of two, a rollback, POLICY_FILE, and an override of it', () => {
    expect(textOf({ ...APPLIED, proposedBy: 'paul' })).toContain(
      'By API key maria, proposed by API key paul, ',
    );
    expect(textOf({ ...APPLIED, cause: 'rollback' })).toContain('Policy rolled back: version a1a1a1a1a1a1');
    const file = textOf({ ...APPLIED, cause: 'file', by: { kind: 'system', cause: 'file' } });
    expect(file).toContain('Policy changed by POLICY_FILE: version a1a1a1a1a1a1');
    expect(file).toContain('Applied at the start of a replica, 2026-03-04 12:00:00 UTC');
    expect(textOf({ ...APPLIED, overrides: true })).toContain('POLICY_FILE is set, and this overrides it.');
  });

  it('gives the reason of its author', () => {
    expect(textOf({ ...APPLIED, comment: 'CI may run the tests\u202e' })).toContain(
      'Reason: CI may run the tests\\u{202e}\nBy API key maria',
    );
  });

  it('without a difference in the rules says so', () => {
    const change = { added: NONE, removed: NONE, changed: 0, others: 0, widens: false };
    expect(textOf({ ...APPLIED, change })).toContain('no difference. It widens nothing.');
  });

  it('that waits for a second person says that nothing has changed, and how to approve it', () => {
    const { by, version, replaces, change, comment } = APPLIED;
    const text = textOf({
      ...AT,
      event: 'policy-proposed',
      by,
      version,
      replaces,
      change,
      comment,
      proposal: '0198-id',
    });
    expect(text).toContain('Policy change proposed: version a1a1a1a1a1a1');
    expect(text).toContain('Nothing has changed yet: another admin must approve it.');
    expect(text).toContain('Approve: countersign policy approve 0198-id');
  });
});

it('a stop says who, when, and how it ends; its end says who', () => {
  const stopped = textOf({ ...AT, event: 'policy-stopped', by: OLIVIA });
  expect(stopped).toContain('The rules that allow are stopped');
  expect(stopped).toContain('By Olivia (Telegram id 7), 2026-03-04 12:00:00 UTC');
  expect(stopped).toContain('countersign policy resume');
  const resumed = textOf({ ...AT, event: 'policy-resumed', by: MARIA });
  expect(resumed).toBe('▶️ The rules allow again\nBy API key maria, 2026-03-04 12:00:00 UTC');
});

describe('messages to leads', () => {
  it('say why a person is a concern', () => {
    const tired = { event: 'fatigue', person: 'olivia', decisions: 72, medianSeconds: 1.4, atMs: 0 } as const;
    expect(renderAnnouncement({ ...tired, cause: 'many' }).text).toContain(
      'olivia decided 72 requests within an hour',
    );
    expect(renderAnnouncement({ ...tired, cause: 'fast' }).text).toContain(
      'olivia takes 1.4 s for a decision',
    );
  });

  it('have the share of each person in a week', () => {
    const people = [
      { person: 'olivia', decisions: 6, medianSeconds: 12 },
      { person: 'sam', decisions: 3, medianSeconds: 4 },
    ];
    const week = { decisions: 10, medianSeconds: 9, people, unanswered: 2 };
    const { text } = renderAnnouncement({
      event: 'week',
      toMs: Date.parse('2026-03-09T09:00:00Z'),
      week,
      atMs: 0,
    });
    expect(text).toBe(
      [
        '🗓 The week until 2026-03-09 09:00:00 UTC',
        'People decided 10 requests, in 9.0 s by the median. Nobody answered 2.',
        'olivia: 6 (60 %), 12 s',
        'sam: 3 (30 %), 4.0 s',
        'Others: 1 (10 %)',
      ].join('\n'),
    );
  });
});
