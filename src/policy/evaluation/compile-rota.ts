import { readHandover, type Rota } from '../../people/rota';
import type { Policy } from '../document/policy-schema';
import { daysOf } from '../document/rota-faults';

/** The rotas of a document without faults, by name. */
export function compileRotas({ rota = {} }: Policy): ReadonlyMap<string, Rota> {
  return new Map(
    Object.entries(rota).flatMap(([name, { members, handover, every }]): [string, Rota][] => {
      const read = readHandover(handover);
      return read === null ? [] : [[name, { members, handover: read, days: daysOf(every) }]];
    }),
  );
}
