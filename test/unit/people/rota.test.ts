import { isQuiet, isZone, nextTime, readHandover, readQuietHours, turnAt } from '../../../src/people/rota';

const rotaOf = (handover: string, days: number, members = ['olivia', 'sam']) => {
  const read = readHandover(handover);
  if (read === null) throw new Error(`${handover} is not a handover`);
  return { members, handover: read, days };
};

const at = (moment: string) => new Date(moment);
const utc = (moment: Date) => moment.toISOString().replace('.000', '');

describe('a weekly rota in Berlin', () => {
  const rota = rotaOf('Mon 09:00 Europe/Berlin', 7);

  it('hands over on Monday at nine, and not a millisecond earlier', () => {
    const before = turnAt(rota, at('2026-03-09T07:59:59.999Z'));
    const after = turnAt(rota, at('2026-03-09T08:00:00Z'));
    expect(utc(before.until)).toBe('2026-03-09T08:00:00Z');
    expect(after.person).toBe(before.next);
    expect(after.next).toBe(before.person);
    expect(utc(after.until)).toBe('2026-03-16T08:00:00Z');
  });

  it.each([
    ['into summer time', '2026-03-28T12:00:00Z', '2026-03-30T07:00:00Z'],
    ['out of summer time', '2026-10-24T12:00:00Z', '2026-10-26T08:00:00Z'],
  ])('stays at nine by the clock on the wall %s', (_, moment, until) => {
    const turn = turnAt(rota, at(moment));
    expect(utc(turn.until)).toBe(until);
    expect(turnAt(rota, new Date(turn.until.getTime() - 1)).person).toBe(turn.person);
    expect(turnAt(rota, turn.until).person).toBe(turn.next);
  });

  it('everybody has the same number of weeks, and each turn follows the one before', () => {
    const three = rotaOf('Mon 09:00 Europe/Berlin', 7, ['olivia', 'sam', 'maria']);
    const counts = new Map<string, number>();
    let turn = turnAt(three, at('2025-12-30T00:00:00Z'));
    for (let week = 0; week < 105; week += 1) {
      const next = turnAt(three, turn.until);
      expect(next.person).toBe(turn.next);
      counts.set(next.person, (counts.get(next.person) ?? 0) + 1);
      turn = next;
    }
    expect([...counts.values()]).toEqual([35, 35, 35]);
  });
});

describe('a handover that a clock skips or shows twice', () => {
  it.each([
    ['skipped: 02:30 is 03:30', '02:30 Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-29T01:30:00Z'],
    ['twice: the first 02:30', '02:30 Europe/Berlin', '2026-10-24T12:00:00Z', '2026-10-25T00:30:00Z'],
    [
      'south of the equator, skipped',
      '02:30 Australia/Sydney',
      '2026-10-03T12:00:00Z',
      '2026-10-03T16:30:00Z',
    ],
    ['by half an hour, twice', '01:45 Australia/Lord_Howe', '2026-04-04T12:00:00Z', '2026-04-04T14:45:00Z'],
    ['without daylight saving', '02:30 Asia/Kolkata', '2026-03-28T12:00:00Z', '2026-03-28T21:00:00Z'],
  ])('%s', (_, handover, moment, until) => {
    const rota = rotaOf(handover, 1);
    const turn = turnAt(rota, at(moment));
    expect(utc(turn.until)).toBe(until);
    expect(turnAt(rota, turn.until).person).toBe(turn.next);
    expect(turnAt(rota, new Date(turn.until.getTime() - 1)).person).toBe(turn.person);
  });

  it.each(['2026-03-27T00:00:00Z', '2026-10-23T00:00:00Z'])(
    'in every half hour of the days from %s on, one turn follows the other',
    (start) => {
      const rota = rotaOf('02:30 Europe/Berlin', 1);
      let last = turnAt(rota, at(start));
      for (let step = 0; step < 4 * 48; step += 1) {
        const now = new Date(at(start).getTime() + step * 1_800_000);
        const turn = turnAt(rota, now);
        expect(turn.until > now).toBe(true);
        expect(turn.person).toBe(now < last.until ? last.person : last.next);
        last = turn;
      }
    },
  );
});

describe('a time of day', () => {
  it('that a clock shows twice is the next of both', () => {
    const first = nextTime(2 * 60 + 45, 'Europe/Berlin', at('2026-10-24T12:00:00Z'));
    expect(utc(first)).toBe('2026-10-25T00:45:00Z');
    expect(utc(nextTime(2 * 60 + 45, 'Europe/Berlin', at('2026-10-25T01:30:00Z')))).toBe(
      '2026-10-25T01:45:00Z',
    );
  });

  it.each([
    ['later today', '2026-03-10T12:00:00Z', '2026-03-10T17:00:00Z'],
    ['tomorrow if it is past', '2026-03-10T17:00:00Z', '2026-03-11T17:00:00Z'],
    ['across the change of the clocks', '2026-03-28T17:00:00Z', '2026-03-29T16:00:00Z'],
  ])('is %s', (_, moment, next) => {
    expect(utc(nextTime(18 * 60, 'Europe/Berlin', at(moment)))).toBe(next);
  });

  it.each([
    ['once before both', '2026-10-24T23:00:00Z', '2026-10-25T00:45:00Z'],
    ['again before the second', '2026-10-25T01:30:00Z', '2026-10-25T01:45:00Z'],
    ['tomorrow behind both', '2026-10-25T01:45:00Z', '2026-10-26T01:45:00Z'],
  ])('that a clock shows twice is %s', (_, moment, next) => {
    expect(utc(nextTime(2 * 60 + 45, 'Europe/Berlin', at(moment)))).toBe(next);
  });
});

describe('quiet hours', () => {
  const hours = readQuietHours('22:00-07:00 Europe/Berlin');

  it.each([
    ['2026-03-10T20:59:59Z', false],
    ['2026-03-10T21:00:00Z', true],
    ['2026-03-11T05:59:59Z', true],
    ['2026-03-11T06:00:00Z', false],
    // Summer time.
    ['2026-07-10T20:00:00Z', true],
    ['2026-07-11T05:00:00Z', false],
  ])('over midnight at %s: %s', (moment, quiet) => {
    expect(hours && isQuiet(hours, at(moment))).toBe(quiet);
  });
});

it.each([
  'Mon 9:00 Europe/Berlin',
  'Mon 24:00 Europe/Berlin',
  'Moon 09:00 UTC',
  'Xyz 09:00 UTC',
  'Mon 09:00',
  '',
])('does not read “%s” as a handover', (text) => {
  expect(readHandover(text)).toBeNull();
});

it.each([
  ['Europe/Berlin', true],
  ['UTC', true],
  ['America/Argentina/Buenos_Aires', true],
  ['Europe/Berlim', false],
  ['+02:00', false],
  ['UTC+2', false],
  ['local', false],
  ['', false],
])('knows %s as a zone: %s', (name, known) => {
  expect(isZone(name)).toBe(known);
});
