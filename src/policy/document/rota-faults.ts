import { isZone, readHandover, readQuietHours } from '../../people/rota';
import type { Fault } from './finding';
import { listOf, type Policy, type RotaProperties } from './policy-schema';

type At = (...path: (string | number)[]) => Fault['path'];

const error = (path: Fault['path'], message: string, fix: string): Fault => ({
  severity: 'error',
  path,
  message,
  fix,
});

/** Days of a turn such as `1w`. */
export const daysOf = (every: string): number => Number.parseInt(every, 10) * (every.endsWith('w') ? 7 : 1);

/** Faults of rotas, of quiet hours, and of the names that steps mention. */
export function rotaFaults(policy: Policy): Fault[] {
  const { rota = {}, people = {} } = policy;
  return [
    ...Object.entries(rota).flatMap(([name, properties]) => {
      const at: At = (...path) => ['rota', name, ...path];
      return [
        ...ownNameFaults(policy, name, at),
        ...memberFaults(properties, people, at),
        ...handoverFaults(properties, at),
      ];
    }),
    ...Object.entries(people).flatMap(([name, { quiet }]) =>
      quiet === undefined ? [] : quietFaults(quiet, ['people', name, 'quiet']),
    ),
    ...mentionFaults(policy),
  ];
}

const groupsOf = ({ people = {} }: Policy): ReadonlySet<string> =>
  new Set(Object.values(people).flatMap(({ groups = [] }) => groups));

/** A step mentions rotas, groups and people by one list of names. */
function ownNameFaults(policy: Policy, name: string, at: At): Fault[] {
  const kind = Object.hasOwn(policy.people ?? {}, name)
    ? 'person'
    : groupsOf(policy).has(name)
      ? 'group'
      : null;
  if (kind === null) return [];
  return [error(at(), `A ${kind} has the name "${name}", too.`, 'Give the rota another name.')];
}

function memberFaults({ members }: RotaProperties, people: NonNullable<Policy['people']>, at: At): Fault[] {
  return members.flatMap((member, index) => {
    if (!Object.hasOwn(people, member))
      return [
        error(
          at('members', index),
          `There is no person "${member}".`,
          'Correct the name, or add it to `people`.',
        ),
      ];
    return members.indexOf(member) === index
      ? []
      : [error(at('members', index), `"${member}" is in this list twice.`, 'Remove one of the two.')];
  });
}

function handoverFaults({ handover, every }: RotaProperties, at: At): Fault[] {
  const read = readHandover(handover);
  if (read === null)
    return [
      error(
        at('handover'),
        `"${handover}" is not a day, a time and a zone.`,
        'Write it as "Mon 09:00 Europe/Berlin", or as "09:00 Europe/Berlin" for turns of days.',
      ),
    ];
  const inWeeks = every.endsWith('w');
  if (inWeeks && read.weekday === null)
    return [error(at('handover'), 'A turn of weeks ends on a day of the week.', `Write "Mon ${handover}".`)];
  if (!inWeeks && read.weekday !== null)
    return [
      error(
        at('every'),
        'A turn of days does not end on the same day of the week.',
        'Write weeks, such as 1w, or remove the day from `handover`.',
      ),
    ];
  return zoneFaults(read.zone, at('handover'));
}

function quietFaults(quiet: string, path: Fault['path']): Fault[] {
  const read = readQuietHours(quiet);
  if (read !== null) return zoneFaults(read.zone, path);
  return [
    error(
      path,
      `"${quiet}" is not two different times and a zone.`,
      'Write it as "22:00-07:00 Europe/Berlin".',
    ),
  ];
}

const zoneFaults = (zone: string, path: Fault['path']): Fault[] =>
  isZone(zone)
    ? []
    : [error(path, `There is no time zone "${zone}".`, 'Write an IANA name such as Europe/Berlin, or UTC.')];

function mentionFaults(policy: Policy): Fault[] {
  const { rota = {}, people = {}, chains = {}, destinations = {} } = policy;
  const groups = groupsOf(policy);
  return Object.entries(chains).flatMap(([chain, steps]) =>
    steps.flatMap(({ to, mention }, index) => {
      if (mention === undefined) return [];
      const path = ['chains', chain, index, 'mention'];
      const unknown = listOf(mention).filter(
        (each) => !Object.hasOwn(rota, each) && !groups.has(each) && !Object.hasOwn(people, each),
      );
      const destination = Object.hasOwn(destinations, to) ? destinations[to] : undefined;
      return [
        ...unknown.map((each) =>
          error(
            path,
            `There is no rota, no group and no person "${each}".`,
            'Correct the name, or add it to `rota` or `people`.',
          ),
        ),
        ...mutedFaults(steps, index, destination !== undefined && 'direct' in destination, path),
      ];
    }),
  );
}

/** A card notifies when it appears. */
function mutedFaults(
  steps: NonNullable<Policy['chains']>[string],
  index: number,
  isDirect: boolean,
  path: Fault['path'],
): Fault[] {
  // people.md has such a step in its example: each direct message notifies its reader anyway.
  if (isDirect) return [];
  const earlier = steps.slice(0, index).some(({ to }) => to === steps[index]?.to);
  if (!earlier) return [];
  return [
    error(
      path,
      'A step before shows the card in this chat, so this one would notify nobody.',
      'Mention them in that step, or ask in another chat or by direct messages.',
    ),
  ];
}
