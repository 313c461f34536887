import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { NotificationListener } from '../../database/notification-listener';
import { FailureLog } from '../../logging/failure-log';
import { Log } from '../../logging/log';
import type { CompiledRule } from '../evaluation/compile-policy';
import type { PolicyRequest } from '../evaluation/policy-request';
import { GRANTS_CHANNEL, GrantStore, type Grant } from './grant-store';
import { compileScope } from './scope';

/** The safety net under NOTIFY. A grant that is not known yet asks a person. */
const POLL_MS = 1_000;

/** A grant with the rules that it adds to the policy. */
export interface OpenGrant extends Grant {
  readonly rules: readonly CompiledRule[];
}

/**
 * Holds the open grants of all keys, compiled. A stale one harms nothing: the statement that stores the answer of a grant
 * demands that it is open still, and counts the use.
 */
@Injectable()
export class OpenGrants implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private grants: readonly OpenGrant[] = [];
  private current: Promise<void> | null = null;
  private next: Promise<void> | null = null;
  private poll: NodeJS.Timeout | null = null;
  private readonly failures: FailureLog;

  constructor(
    private readonly store: GrantStore,
    private readonly listener: NotificationListener,
    log: Log,
  ) {
    this.failures = new FailureLog(
      log,
      { event: 'grants.unreadable', message: 'the grants cannot be read; unknown ones ask a person' },
      { event: 'grants.readable', message: 'the grants can be read again' },
    );
  }

  onApplicationBootstrap(): void {
    const refresh = () => void this.refresh();
    this.listener.listen(GRANTS_CHANNEL, { notified: refresh, connected: refresh });
    this.poll = setInterval(refresh, POLL_MS);
    refresh();
  }

  async beforeApplicationShutdown(): Promise<void> {
    if (this.poll) clearInterval(this.poll);
    await this.reading;
  }

  /** Number of grants that may still be used, as of the last read. */
  get count(): number {
    return this.grants.length;
  }

  /** Number of open grants that were used faster than the operators allow, as of the last read. */
  get alarming(): number {
    return this.grants.filter(({ isAlarming }) => isAlarming).length;
  }

  /** Number of open grants of one key, as of the last read. */
  ofKey(keyId: string): number {
    return this.grants.filter((grant) => grant.keyId === keyId).length;
  }

  /** The read under way. Whoever was told of an answer asks again after it, so that a grant counts from then on; else null. */
  get reading(): Promise<void> | null {
    return this.next ?? this.current;
  }

  /** Reads the grants anew. A read under way may have begun before the change, so this waits for its end. Never rejects. */
  refresh(): Promise<void> {
    this.next ??= (this.current ?? Promise.resolve()).then(() => {
      this.next = null;
      this.current = this.read()
        .then(
          () => this.failures.succeed(),
          (error: unknown) => this.failures.fail(error),
        )
        .finally(() => (this.current = null));
      return this.current;
    });
    return this.next;
  }

  /** The grants whose key, session or directory, and tool are those of the request; for an exact one, also its action. */
  of(request: PolicyRequest, inputDigest: string): readonly OpenGrant[] {
    return this.grants.filter(
      ({ keyId, sessionId, cwd, tool, scope }) =>
        keyId === request.key &&
        (cwd === null ? sessionId === request.sessionId : cwd === request.cwd) &&
        tool === request.toolName &&
        (scope.kind === 'matching' || scope.inputDigest === inputDigest),
    );
  }

  private async read(): Promise<void> {
    const known = new Map(this.grants.map((grant) => [grant.id, grant]));
    const open = await this.store.open();
    this.grants = open.map((grant) => ({
      ...grant,
      rules: known.get(grant.id)?.rules ?? compileScope(grant.scope),
    }));
  }
}
