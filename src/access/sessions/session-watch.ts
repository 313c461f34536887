import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { DomainError } from '../../kernel/errors';
import { FailureLog } from '../../logging/failure-log';
import { Log } from '../../logging/log';
import { singleFlight } from '../../kernel/single-flight';
import { SessionStore } from './session-store';

/** Interval at which sessions with open answers are looked up, all in one statement: they end within a second. */
const LOOK_MS = 500;

/** Ends the open answers of sessions. Does nothing while no such answer is open. */
@Injectable()
export class SessionWatch implements OnModuleDestroy {
  private readonly calls = new Map<string, Set<AbortController>>();
  private timer: NodeJS.Timeout | null = null;
  private readonly failures: FailureLog;

  constructor(
    private readonly store: SessionStore,
    log: Log,
  ) {
    this.failures = new FailureLog(
      log,
      {
        event: 'access.sessions-unreadable',
        message: 'sessions of the console cannot be read; open ones go on',
      },
      { event: 'access.sessions-readable', message: 'sessions of the console can be read again' },
    );
  }

  onModuleDestroy(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
  }

  /** Aborts the call when the session has ended. */
  watch(digest: Buffer, call: AbortController): void {
    const session = digest.toString('base64');
    const calls = this.calls.get(session) ?? new Set();
    this.calls.set(session, calls.add(call));
    this.timer ??= setInterval(() => void this.look(), LOOK_MS);
  }

  release(digest: Buffer, call: AbortController): void {
    const session = digest.toString('base64');
    const calls = this.calls.get(session);
    calls?.delete(call);
    if (calls?.size === 0) this.calls.delete(session);
    if (this.calls.size === 0) this.onModuleDestroy();
  }

  /** Never rejects. A call confirms its session before it answers, so that an unread one is refused there. */
  private readonly look = singleFlight(() =>
    this.endEnded().then(
      () => this.failures.succeed(),
      (error: unknown) => this.failures.fail(error),
    ),
  );

  private async endEnded(): Promise<void> {
    const watched = [...this.calls.keys()];
    const digests = watched.map((session) => Buffer.from(session, 'base64'));
    const live = new Set((await this.store.findLive(digests)).map((digest) => digest.toString('base64')));
    for (const session of watched) {
      if (live.has(session)) continue;
      for (const call of this.calls.get(session) ?? [])
        call.abort(new DomainError('access.unauthenticated', 'This session has ended; sign in again.'));
    }
  }
}
