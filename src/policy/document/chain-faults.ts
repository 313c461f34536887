import { listOf, BUILT_IN_CLASSES, DEFAULT_CHAIN, type Policy } from './policy-schema';
import type { Fault } from './finding';

type People = NonNullable<Policy['people']>;

const error = (path: Fault['path'], message: string, fix: string): Fault => ({
  severity: 'error',
  path,
  message,
  fix,
});

/** Faults of destinations and chains: unknown names, and steps that reach nobody who may decide. */
export function chainFaults(policy: Policy): Fault[] {
  return [
    ...destinationFaults(policy),
    ...stepFaults(policy),
    ...classFaults(policy),
    ...reachFaults(policy),
  ];
}

/** The chain of a class; null: the class has none. */
export function chainOfClass({ classes = {}, chains = {} }: Policy, name: string): string | null {
  const own = classes[name]?.chain ?? DEFAULT_CHAIN;
  return Object.hasOwn(chains, own) ? own : null;
}

/** Every class, whether it is written or built in. */
export const classNames = ({ classes = {} }: Policy): string[] => [
  ...new Set([...BUILT_IN_CLASSES, ...Object.keys(classes)]),
];

/** The people who may decide the class, if the policy names people. */
export function deciders({ classes = {} }: Policy, people: People, name: string): string[] {
  const from = listOf(classes[name]?.from);
  return Object.keys(people).filter(
    (person) => from.length === 0 || from.some((group) => people[person]?.groups?.includes(group)),
  );
}

function destinationFaults({ destinations = {}, people = {} }: Policy): Fault[] {
  const groups = new Set(Object.values(people).flatMap(({ groups = [] }) => groups));
  return Object.entries(destinations).flatMap(([name, destination]) => {
    if (!('direct' in destination)) return [];
    const path = ['destinations', name, 'direct'];
    const unknown = listOf(destination.direct).filter(
      (each) => !groups.has(each) && !Object.hasOwn(people, each),
    );
    if (unknown.length > 0)
      return unknown.map((each) =>
        error(path, `There is no person and no group "${each}".`, 'Correct the name, or add it to `people`.'),
      );
    if (withTelegram(people, membersOf(people, listOf(destination.direct))).length > 0) return [];
    return [error(path, 'Nobody of these has a Telegram id.', 'Add `telegram` to one of them in `people`.')];
  });
}

function stepFaults({ chains = {}, destinations = {} }: Policy): Fault[] {
  return Object.entries(chains).flatMap(([name, steps]) =>
    steps.flatMap(({ to, after }, index) => {
      const at = (member: string): Fault['path'] => ['chains', name, index, member];
      return [
        ...(Object.hasOwn(destinations, to)
          ? []
          : [error(at('to'), `There is no destination "${to}".`, `Add \`${to}\` to \`destinations\`.`)]),
        ...(index === 0 && after !== undefined
          ? [error(at('after'), 'The first step begins with the request.', 'Remove `after`.')]
          : []),
      ];
    }),
  );
}

function classFaults({ classes = {}, chains = {} }: Policy): Fault[] {
  return Object.entries(classes).flatMap(([name, { chain }]) =>
    chain === undefined || Object.hasOwn(chains, chain)
      ? []
      : [
          error(
            ['classes', name, 'chain'],
            `There is no chain "${chain}".`,
            `Add \`${chain}\` to \`chains\`.`,
          ),
        ],
  );
}

/** Members of a chat are not known here, so everybody with a Telegram id may be in it. */
function reachFaults(policy: Policy): Fault[] {
  const { people, chains = {}, destinations = {} } = policy;
  if (people === undefined) return [];
  return classNames(policy).flatMap((name) => {
    const chain = chainOfClass(policy, name);
    if (chain === null) return [];
    const able = new Set(withTelegram(people, deciders(policy, people, name)));
    return (chains[chain] ?? []).flatMap(({ to }, index) => {
      const destination = Object.hasOwn(destinations, to) ? destinations[to] : undefined;
      if (destination === undefined) return [];
      const reached = 'direct' in destination ? membersOf(people, listOf(destination.direct)) : [...able];
      if (reached.some((person) => able.has(person))) return [];
      return [
        error(
          ['chains', chain, index, 'to'],
          `This step reaches nobody who may decide the class "${name}" and has a Telegram id.`,
          'Choose another destination, or another chain for the class.',
        ),
      ];
    });
  });
}

/** The people whom names of groups and people stand for. */
const membersOf = (people: People, names: readonly string[]): string[] =>
  Object.keys(people).filter(
    (person) => names.includes(person) || names.some((name) => people[person]?.groups?.includes(name)),
  );

const withTelegram = (people: People, names: readonly string[]): string[] =>
  names.filter((name) => people[name]?.telegram !== undefined);
