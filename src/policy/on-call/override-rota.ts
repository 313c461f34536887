import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Person } from '../../kernel/actor';
import { DomainError } from '../../kernel/errors';
import { nextTime } from '../../people/rota';
import { ActivePolicy } from '../active-policy';
import { dutyAt, type Duty } from './duties';
import { OnCallStore } from './on-call-store';
import { invalid, rotaNamed } from './rota-named';

const WEEK_MS = 7 * 24 * 3_600_000;

/** The end of an override: after a time, at a time, or at a time of day of the rota's zone, in minutes since midnight. */
export type OverrideEnd =
  { readonly afterMs: number } | { readonly at: Date } | { readonly minuteOfDay: number };

/** `rota` null: the only one. */
export interface Override {
  readonly rota: string | null;
  readonly person: string;
  readonly end: OverrideEnd;
}

/**
 * Puts a person on duty instead of the rota's turn. Rejects with InvalidInput, which says what to write, or with DomainError
 * `policy.stale`.
 */
export class OverrideRotaCommand extends Command<Duty> {
  constructor(
    readonly by: Person,
    readonly override: Override,
  ) {
    super();
  }
}

@CommandHandler(OverrideRotaCommand)
export class OverrideRotaHandler implements ICommandHandler<OverrideRotaCommand> {
  constructor(
    private readonly policy: ActivePolicy,
    private readonly store: OnCallStore,
  ) {}

  async execute({ by, override: { rota: asked, person, end } }: OverrideRotaCommand): Promise<Duty> {
    const { people, rotas, version } = this.policy;
    const [name, rota] = rotaNamed(rotas, asked);
    if (people === null || !people.has(person))
      throw invalid('person', `The policy names nobody "${person}": write a name of its "people".`);
    const { now } = await this.store.read();
    const until = untilOf(end, rota.handover.zone, now);
    if (until <= now) throw invalid('until', 'That time is past.');
    if (until.getTime() - now.getTime() > WEEK_MS)
      throw invalid('until', 'An override lasts a week at most: change the rota in the policy.');
    if (!(await this.store.override(name, { person, until, by, version }))) {
      await this.policy.refresh();
      throw new DomainError('policy.stale', 'The policy has changed at this moment. Try again.');
    }
    const { overrides } = await this.store.read();
    return dutyAt([name, rotas.get(name) ?? rota], overrides.get(name), people, now);
  }
}

function untilOf(end: OverrideEnd, zone: string, now: Date): Date {
  if ('at' in end) return end.at;
  return 'afterMs' in end ? new Date(now.getTime() + end.afterMs) : nextTime(end.minuteOfDay, zone, now);
}
