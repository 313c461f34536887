import { documentOf, policyOf, refusalOf } from '../../support/policy-scene';

const people = {
  olivia: { telegram: 4711, groups: ['sre', 'leads'], quiet: '22:00-07:00 Europe/Berlin' },
  sam: { telegram: 4712, groups: ['sre'] },
};
const duty = { members: ['olivia', 'sam'], handover: 'Mon 09:00 Europe/Berlin', every: '1w' };
const destinations = { sre: { telegram: -1001, topic: 12 }, leads: { direct: ['leads'] } };
const chains = {
  default: [
    { to: 'sre', mention: 'sre-duty' },
    { after: '5m', to: 'leads', mention: 'leads' },
  ],
};

const refusal = (others: object) =>
  refusalOf(documentOf([], { people, destinations, rota: { 'sre-duty': duty }, chains, ...others }));

it('accepts the rota and the mentions of people.md', () => {
  expect(refusal({})).toEqual([]);
  const policy = policyOf([], { people, destinations, rota: { 'sre-duty': duty }, chains });
  expect(policy.rotas.get('sre-duty')).toEqual({
    members: ['olivia', 'sam'],
    handover: { weekday: 1, hour: 9, minute: 0, zone: 'Europe/Berlin' },
    days: 7,
  });
  expect(policy.classes.get('normal')?.chain?.[0]).toMatchObject({ mention: ['sre-duty'] });
});

it.each([
  ['an unknown member', { members: ['olivia', 'tom'] }, 'There is no person "tom".'],
  ['a member twice', { members: ['sam', 'sam'] }, '"sam" is in this list twice.'],
  ['no members', { members: [] }, '`members` must not be empty.'],
  ['a zone that does not exist', { handover: 'Mon 09:00 Europe/Berlim' }, 'no time zone "Europe/Berlim"'],
  ['an offset as a zone', { handover: 'Mon 09:00 +02:00' }, 'There is no time zone "+02:00".'],
  [
    'a time that does not exist',
    { handover: 'Mon 25:00 UTC' },
    '"Mon 25:00 UTC" is not a day, a time and a zone.',
  ],
  ['a week without its day', { handover: '09:00 UTC' }, 'A turn of weeks ends on a day of the week.'],
  ['days with a day of the week', { every: '3d' }, 'does not end on the same day of the week.'],
  ['a period of hours', { every: '12h' }, '`every` must be a number of days or weeks, such as 1w.'],
  ['no period', { every: '0w' }, '`every` must be a number of days or weeks, such as 1w.'],
])('refuses %s, at its place', (_, change, message) => {
  expect(refusal({ rota: { 'sre-duty': { ...duty, ...change } } })).toEqual([
    expect.stringMatching(/^\d+:\d+ /) as string,
  ]);
  expect(refusal({ rota: { 'sre-duty': { ...duty, ...change } } })[0]).toContain(message);
});

it('names the line and the column of a member that nobody is', () => {
  const text = `version: 1
rules: []
people: { sam: { telegram: 1 } }
rota:
  duty:
    members: [sam, tom]
    handover: Mon 09:00 UTC
    every: 1w
`;
  expect(refusalOf(text)).toEqual(['6:20 There is no person "tom".']);
});

it.each([
  [
    'a rota with the name of a group',
    { rota: { sre: duty }, chains: {} },
    'A group has the name "sre", too.',
  ],
  [
    'a rota with the name of a person',
    { rota: { sam: duty }, chains: {} },
    'A person has the name "sam", too.',
  ],
  [
    'a mention of nobody',
    { chains: { default: [{ to: 'sre', mention: ['sam', 'ops'] }] } },
    'There is no rota, no group and no person "ops".',
  ],
  [
    'a mention that would notify nobody',
    { chains: { default: [{ to: 'sre' }, { to: 'sre', after: '5m', mention: 'leads' }] } },
    'this one would notify nobody',
  ],
  [
    'quiet hours without a zone',
    { people: { ...people, sam: { quiet: '22:00-07:00' } } },
    '"22:00-07:00" is not two different times and a zone.',
  ],
  [
    'quiet hours in a zone that does not exist',
    { people: { ...people, sam: { quiet: '22:00-07:00 Mars/Olympus' } } },
    'There is no time zone "Mars/Olympus".',
  ],
])('refuses %s', (_, others, message) => {
  expect(refusal(others)).toEqual([expect.stringContaining(message)]);
});
