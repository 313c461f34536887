import { compileCondition, ConditionFault } from '../matchers/condition';
import { globFault } from '../matchers/glob';
import { hostPatternFault } from '../matchers/host-pattern';
import { pathPatternFault } from '../matchers/path-pattern';
import { chainFaults, chainOfClass } from './chain-faults';
import { durationMs } from './duration';
import type { Fault } from './finding';
import { rotaFaults } from './rota-faults';
import { BUILT_IN_CLASSES, listOf, type Policy, type Rule, type RuleMatch } from './policy-schema';

/** Faults of a document that concern several of its members, or the language within one. */
export function crossFaults(policy: Policy): Fault[] {
  const ruleFaults = policy.rules.flatMap((rule, index) => {
    const at = (...path: (string | number)[]) => ['rules', index, ...path];
    return [
      ...duplicateId(policy, rule, index),
      ...decisionFaults(policy, rule, at),
      ...allowFaults(rule, at),
      ...patternFaults(rule, at),
      ...conditionFaults(rule, at),
    ];
  });
  return [
    ...ruleFaults,
    ...classFaults(policy),
    ...timeFaults(policy),
    ...peopleFaults(policy),
    ...quorumFaults(policy),
    ...chainFaults(policy),
    ...rotaFaults(policy),
  ];
}

/** A request must not end before its own timeout, and only a chain can wait for a claim. */
function timeFaults(policy: Policy): Fault[] {
  return Object.entries(policy.classes ?? {}).flatMap(([name, { timeout, maximum, claim }]) => [
    ...(timeout !== undefined &&
    maximum !== undefined &&
    (durationMs(maximum) ?? 0) < (durationMs(timeout) ?? 0)
      ? [
          error(
            ['classes', name, 'maximum'],
            'The `maximum` of this class is shorter than its `timeout`.',
            'Make it at least as long as `timeout`, or remove it.',
          ),
        ]
      : []),
    ...(claim !== undefined && chainOfClass(policy, name) === null
      ? [
          error(
            ['classes', name, 'claim'],
            'A claim delays the chain of a class, and this class has none.',
            'Add a chain, or remove `claim`.',
          ),
        ]
      : []),
  ]);
}

/** Grants answer only what no rule asks about, and that is of the class normal. */
function classFaults({ classes = {} }: Policy): Fault[] {
  return Object.entries(classes).flatMap(
    ([name, { grants, approvals = 1, rejections = 1, from, via, reason }]) => {
      if (grants !== true) return [];
      if (name === 'normal' && reason !== undefined)
        return [
          error(
            ['classes', name, 'grants'],
            'A grant gives no reason, and this class demands one.',
            'Remove `grants`.',
          ),
        ];
      if (name === 'normal' && via === 'console')
        return [
          error(
            ['classes', name, 'grants'],
            'No passkey signs what a grant answers, and this class demands one.',
            'Remove `grants`.',
          ),
        ];
      if (name === 'normal' && (approvals > 1 || rejections > 1 || from !== undefined))
        return [
          error(
            ['classes', name, 'grants'],
            'A grant is the word of one person, and this class needs several or certain ones.',
            'Remove `grants`.',
          ),
        ];
      return name !== 'normal'
        ? [
            error(
              ['classes', name, 'grants'],
              'A rule that asks beats every grant, so only the class normal has grants.',
              'Remove `grants`, or the rules that ask with this class.',
            ),
          ]
        : [];
    },
  );
}

/** Accounts that authenticate one person only; e-mail addresses are compared without case. */
const ACCOUNTS = [
  ['telegram', 'Telegram id'],
  ['email', 'e-mail address'],
  ['subject', 'subject'],
] as const;

function peopleFaults({ people = {} }: Policy): Fault[] {
  return ACCOUNTS.flatMap(([member, words]) => {
    const owners = new Map<string, string>();
    return Object.entries(people).flatMap(([name, person]) => {
      if (person[member] === undefined) return [];
      const account = String(person[member]);
      const key = member === 'email' ? account.toLowerCase() : account;
      const first = owners.get(key);
      if (first === undefined) {
        owners.set(key, name);
        return [];
      }
      return [
        error(
          ['people', name, member],
          `${first} has this ${words} already, and one account is one person.`,
          'Remove one of the two.',
        ),
      ];
    });
  });
}

/** A class must be decidable: by people whom the policy names, and as many as it asks for. */
function quorumFaults({ classes = {}, people }: Policy): Fault[] {
  return Object.entries(classes).flatMap(([name, { approvals = 1, rejections = 1, from, via }]) => {
    const at = (member: string): Fault['path'] => ['classes', name, member];
    const one = approvals > 1 ? 'approvals' : rejections > 1 ? 'rejections' : 'via';
    const member = from === undefined ? one : 'from';
    if (from === undefined && approvals === 1 && rejections === 1 && via !== 'console') return [];
    if (people === undefined)
      return [
        error(
          at(member),
          `\`${member}\` counts people, and the document names none.`,
          'Add `people` with their Telegram ids and groups.',
        ),
      ];
    const members = new Map(listOf(from).map((group) => [group, membersOf(group, people)]));
    const empty = [...members].filter(([, names]) => names.length === 0);
    if (empty.length > 0)
      return empty.map(([group]) =>
        error(at('from'), `Nobody is in the group "${group}".`, 'Correct the group, or add it to a person.'),
      );
    const eligible = from === undefined ? Object.keys(people) : [...new Set([...members.values()].flat())];
    const needed = Math.max(approvals, rejections);
    if (eligible.length >= needed) return [];
    return [
      error(
        at(approvals >= rejections ? 'approvals' : 'rejections'),
        `Only ${eligible.length} of \`people\` may decide it: ${eligible.join(', ')}.`,
        `Name at least ${needed} people, or ask for fewer.`,
      ),
    ];
  });
}

const membersOf = (group: string, people: NonNullable<Policy['people']>): string[] =>
  Object.keys(people).filter((name) => people[name]?.groups?.includes(group));

type At = (...path: (string | number)[]) => (string | number)[];

const error = (path: Fault['path'], message: string, fix: string): Fault => ({
  severity: 'error',
  path,
  message,
  fix,
});

function duplicateId({ rules }: Policy, { id }: Rule, index: number): Fault[] {
  const first = rules.findIndex((rule) => rule.id === id);
  if (first === index) return [];
  return [
    error(
      ['rules', index, 'id'],
      `The id "${id}" is used by rule ${first + 1} already.`,
      'Choose another id.',
    ),
  ];
}

function decisionFaults({ classes }: Policy, { decision, class: name, say, match }: Rule, at: At): Fault[] {
  const faults: Fault[] = [];
  if (name !== undefined && decision !== 'ask') {
    faults.push(
      error(
        at('class'),
        `A rule that ${decision === 'deny' ? 'denies' : 'allows'} has no class.`,
        'Remove `class`, or write `decision: ask`.',
      ),
    );
  } else if (name !== undefined && !BUILT_IN_CLASSES.has(name) && !Object.hasOwn(classes ?? {}, name)) {
    faults.push(error(at('class'), `There is no class "${name}".`, `Add \`${name}\` to \`classes\`.`));
  }
  if (say !== undefined && decision === 'allow') {
    faults.push(error(at('say'), 'Nobody reads the words of a rule that allows.', 'Remove `say`.'));
  }
  if (match?.except && !match.path) {
    faults.push(
      error(at('match', 'except'), '`except` leaves paths out of `path`, which is missing.', 'Add `path`.'),
    );
  }
  return faults;
}

/** A rule may only allow on the ground of what is authenticated. */
function allowFaults({ decision, match = {} }: Rule, at: At): Fault[] {
  if (decision !== 'allow') return [];
  const faults: Fault[] = [];
  if (!match.key && !match.owner) {
    faults.push(
      error(
        at('match'),
        'A rule that allows must name `key` or `owner`: everything else is what the caller claims.',
        'Add `key: "*"` if every agent of this installation is meant.',
      ),
    );
  }
  const relative = listOf(match.path).some((pattern) => pattern.startsWith('${cwd}'));
  const roots = listOf(match.cwd);
  if (relative && (roots.length === 0 || !roots.every(hasLiteralRoot))) {
    faults.push(
      error(
        at('match', match.cwd ? 'cwd' : 'path'),
        'A path below `${cwd}` follows the directory that the caller claims.',
        'Add `cwd:` with a root such as /srv/*/shop.',
      ),
    );
  }
  return faults;
}

/** True if the first segment of a pattern is fixed. */
function hasLiteralRoot(pattern: string): boolean {
  return /^(?:\/|[A-Za-z]:\/)[^*?[{/]+(?:\/|$)/.test(pattern);
}

function patternFaults({ decision, match = {} }: Rule, at: At): Fault[] {
  const use = decision === 'allow' ? 'prove' : 'catch';
  const check = (member: keyof RuleMatch, fault: (pattern: string) => string | null): Fault[] =>
    listOf(match[member] as string | string[] | undefined).flatMap((pattern, i) => {
      const message = fault(pattern);
      const path = at('match', member, ...(Array.isArray(match[member]) ? [i] : []));
      return message === null ? [] : [error(path, `"${pattern}" ${message}.`, 'Correct the pattern.')];
    });
  return [
    ...(['tool', 'agent', 'session', 'key', 'owner', 'connector', 'mode'] as const).flatMap((member) =>
      check(member, globFault),
    ),
    ...check('path', (pattern) => pathPatternFault(pattern, use)),
    ...check('except', (pattern) => pathPatternFault(pattern, use === 'prove' ? 'catch' : 'prove')),
    ...check('cwd', (pattern) =>
      pattern.startsWith('${cwd}') ? 'stands for itself' : pathPatternFault(pattern, use),
    ),
    ...check('host', hostPatternFault),
    ...Object.entries(match.input ?? {}).flatMap(([pointer, test]) =>
      listOf('glob' in test ? test.glob : undefined).flatMap((pattern) => {
        const message = globFault(pattern);
        return message === null
          ? []
          : [
              error(
                at('match', 'input', pointer, 'glob'),
                `"${pattern}" ${message}.`,
                'Correct the pattern.',
              ),
            ];
      }),
    ),
  ];
}

function conditionFaults({ when }: Rule, at: At): Fault[] {
  if (when === undefined) return [];
  try {
    compileCondition(when);
    return [];
  } catch (fault) {
    if (!(fault instanceof ConditionFault)) throw fault;
    const { message, range, fix } = fault;
    return [{ ...error(at('when'), message, fix), range }];
  }
}
