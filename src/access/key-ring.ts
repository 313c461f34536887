import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../config/environment';
import type { Identity, Role } from './identity';
import { bootstrapKeys } from './bootstrap-keys';
import { Log } from '../logging/log';

const digestOf = (key: string): string => createHash('sha256').update(key).digest('base64');

/** Knows every API key by its digest; a look-up by digest takes the same time for near and far misses. */
@Injectable()
export class KeyRing {
  private readonly identities = new Map<string, Identity>();

  constructor(@Inject(CONFIG) config: Config, log: Log) {
    const keys = bootstrapKeys(config, log);
    if (keys.agent !== null) this.add(keys.agent, 'agent');
    if (keys.operator !== null) this.add(keys.operator, 'operator');
  }

  private add(key: string, role: Role): void {
    const name = `bootstrap-${role}`;
    this.identities.set(digestOf(key), { keyId: name, role, name });
  }

  identify(key: string): Identity | null {
    return this.identities.get(digestOf(key)) ?? null;
  }
}
