import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Person } from '../../kernel/actor';
import { ActivePolicy } from '../active-policy';
import { dutyAt, type Duty } from './duties';
import { OnCallStore } from './on-call-store';
import { invalid, rotaNamed } from './rota-named';

/**
 * Ends the override of a rota, so that its turn counts again. Changes nothing where there is none. Rejects with InvalidInput, which
 * says what to write.
 */
export class EndOverrideCommand extends Command<Duty> {
  constructor(
    readonly by: Person,
    /** Null: the only one. */
    readonly rota: string | null,
  ) {
    super();
  }
}

@CommandHandler(EndOverrideCommand)
export class EndOverrideHandler implements ICommandHandler<EndOverrideCommand> {
  constructor(
    private readonly policy: ActivePolicy,
    private readonly store: OnCallStore,
  ) {}

  async execute({ by, rota: asked }: EndOverrideCommand): Promise<Duty> {
    const { people, rotas } = this.policy;
    const [name, rota] = rotaNamed(rotas, asked);
    if (people === null) throw invalid('rota', 'The active policy names no people.');
    await this.store.end(name, by);
    const { now, overrides } = await this.store.read();
    return dutyAt([name, rota], overrides.get(name), people, now);
  }
}
