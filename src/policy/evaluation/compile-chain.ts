import type { Chain } from '../../kernel/chain';
import { chainOfClass } from '../document/chain-faults';
import { durationMs } from '../document/duration';
import { listOf, type DestinationProperties, type Policy } from '../document/policy-schema';

/** The chain of a class; null: the class has none. */
export function compileChain(policy: Policy, className: string): Chain | null {
  const { chains = {}, destinations = {}, rota = {} } = policy;
  const name = chainOfClass(policy, className);
  if (name === null) return null;
  return (chains[name] ?? []).map(({ to, after, mention }) => {
    const direct = directOf(destinations[to]);
    const notified = mention === undefined ? [] : listOf(mention);
    const seenBy = [...direct, ...notified.flatMap((each) => rota[each]?.members ?? [each])];
    return {
      lanes: lanesOf(destinations[to]),
      direct,
      afterMs: after === undefined ? 0 : (durationMs(after) ?? 0),
      ...(mention !== undefined && { mention: notified }),
      ...(seenBy.length > 0 && { seenBy }),
    };
  });
}

function lanesOf(destination: DestinationProperties | undefined): string[] {
  if (destination === undefined || !('telegram' in destination)) return [];
  const { telegram, topic } = destination;
  return [`telegram:${telegram}${topic === undefined ? '' : `/${topic}`}`];
}

const directOf = (destination: DestinationProperties | undefined): readonly string[] =>
  destination !== undefined && 'direct' in destination ? listOf(destination.direct) : [];
