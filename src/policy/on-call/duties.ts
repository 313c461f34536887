import { turnAt, type Rota } from '../../people/rota';
import type { Roster } from '../../people/roster';

/** A person on duty instead of the rota's turn. */
export interface RotaOverride {
  readonly person: string;
  readonly until: Date;
  /** As the audit log names actors. */
  readonly by: string;
  readonly at: Date;
}

/** The person on duty by one rota. */
export interface Duty {
  readonly rota: string;
  readonly person: string;
  readonly until: Date;
  /** The person after that. */
  readonly next: string;
  readonly zone: string;
  /** Null: it is the rota's turn. */
  readonly override: Pick<RotaOverride, 'by' | 'at'> | null;
}

/** The person on duty at a time. An override of somebody whom the policy does not name any more does not count. */
export function dutyAt(
  [name, rota]: readonly [string, Rota],
  override: RotaOverride | undefined,
  people: Roster,
  at: Date,
): Duty {
  const { zone } = rota.handover;
  if (override === undefined || override.until <= at || !people.has(override.person))
    return { rota: name, zone, override: null, ...turnAt(rota, at) };
  const { person, until, by, at: madeAt } = override;
  return { rota: name, person, until, next: turnAt(rota, until).person, zone, override: { by, at: madeAt } };
}
