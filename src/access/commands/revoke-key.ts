import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { auditName, type Actor } from '../../kernel/actor';
import { DomainError } from '../../kernel/errors';
import type { KeyRecord } from '../api-key';
import { KeyStore } from '../key-store';

/** Revokes an API key; no replica accepts it a second later. Rejects with `key.not-found`. */
export class RevokeKeyCommand extends Command<KeyRecord> {
  constructor(
    readonly name: string,
    readonly by: Actor,
  ) {
    super();
  }
}

@CommandHandler(RevokeKeyCommand)
export class RevokeKeyHandler implements ICommandHandler<RevokeKeyCommand> {
  constructor(private readonly keys: KeyStore) {}

  async execute({ name, by }: RevokeKeyCommand): Promise<KeyRecord> {
    const revoked = await this.keys.revoke(name, auditName(by));
    if (!revoked) throw new DomainError('key.not-found', 'There is no key with this name.');
    return revoked;
  }
}
