import { chainOfClass, classNames, deciders } from '../document/chain-faults';
import { durationMs } from '../document/duration';
import type { Fault } from '../document/finding';
import type { Policy } from '../document/policy-schema';

/** Advice about people and chains: classes without anybody to spare, and steps that begin too late. */
export function peopleFaults(policy: Policy): Fault[] {
  return [...spareFaults(policy), ...lateSteps(policy), ...unusedChains(policy)];
}

const warning = (path: Fault['path'], message: string, fix: string): Fault => ({
  severity: 'warning',
  path,
  message,
  fix,
});

function spareFaults(policy: Policy): Fault[] {
  const { people, classes = {} } = policy;
  if (people === undefined) return [];
  return Object.entries(classes).flatMap(([name, { approvals = 1, from }]) => {
    const able = deciders(policy, people, name);
    if ((from === undefined && approvals === 1) || able.length !== approvals) return [];
    return [
      warning(
        ['classes', name, from === undefined ? 'approvals' : 'from'],
        `There is nobody to spare: it needs ${approvals}, and only ${able.join(', ')} may decide it.`,
        'Add a person. Nobody decides a request of their own agent.',
      ),
    ];
  });
}

/** Steps that begin when the class has ended, where the class has a timeout. */
function lateSteps(policy: Policy): Fault[] {
  const { classes = {}, chains = {} } = policy;
  return Object.entries(classes).flatMap(([name, { timeout }]) => {
    const chain = chainOfClass(policy, name);
    const endsMs = timeout === undefined ? null : durationMs(timeout);
    if (chain === null || endsMs === null) return [];
    let beginsMs = 0;
    return (chains[chain] ?? []).flatMap(({ after }, index) => {
      beginsMs += after === undefined ? 0 : (durationMs(after) ?? 0);
      if (beginsMs < endsMs) return [];
      return [
        warning(
          ['chains', chain, index, 'after'],
          `The class "${name}" has ended before this step begins.`,
          'Shorten `after`, or give the class more time.',
        ),
      ];
    });
  });
}

function unusedChains(policy: Policy): Fault[] {
  const used = new Set(classNames(policy).map((name) => chainOfClass(policy, name)));
  return Object.keys(policy.chains ?? {}).flatMap((name) =>
    used.has(name)
      ? []
      : [
          warning(
            ['chains', name],
            'No class has this chain.',
            'Name it as `chain` of a class, or remove it.',
          ),
        ],
  );
}
