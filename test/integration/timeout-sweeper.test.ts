import type { CommandBus, QueryBus } from '@nestjs/cqrs';
import { DecideApprovalCommand } from '../../src/approvals/commands/decide-approval';
import { SchedulerRegistry } from '@nestjs/schedule';
import type { DueLook } from '../../src/approvals/approval-store';
import { CancelApprovalCommand } from '../../src/approvals/commands/cancel-approval';
import { LookForDueQuery } from '../../src/approvals/queries/look-for-due';
import { TimeoutSweeper } from '../../src/approvals/timeout-sweeper';
import { parseConfig } from '../../src/config/environment';
import { createLog } from '../../src/logging/log';
import { Api } from '../support/api';
import type { LogLine } from '../support/app';
import { FakeClock } from '../support/fake-clock';
import { openTestApp } from '../support/open-app';
import { newApproval } from '../support/open-store';
import { ownService } from '../support/own-service';
import { startTcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';

const service = ownService({ APPROVAL_SWEEP_BATCH_SIZE: '5' });

beforeEach(() => service.app.sweeper.sweep());

const newId = async () => (await service.app.store.enqueue(newApproval())).approval.id;
const newIds = (count: number) => Promise.all(Array.from({ length: count }, newId));
const expireAt = (ids: readonly string[], fromNow: string) =>
  service.database.query(`update approvals set expires_at = now() + $2::interval where id = any($1)`, [
    ids,
    fromNow,
  ]);

async function statuses(ids: readonly string[]): Promise<string[]> {
  const rows = await service.database.query<{ status: string }>(
    `select status from approvals where id = any($1) order by id`,
    [ids],
  );
  return rows.map(({ status }) => status);
}

async function expiredAudits(ids: readonly string[]): Promise<number> {
  const rows = await service.database.query(
    `select 1 from audit_log where approval_id = any($1) and type = 'approval.expired' and actor = 'system:timeout'`,
    [ids],
  );
  return rows.length;
}

describe('a sweep', () => {
  it('ends what is due, with one audit row each, and leaves the rest', async () => {
    const [due, open, decided] = [await newId(), await newId(), await newId()];
    const by = { kind: 'person', channel: 'api', id: 'o', name: 'o' } as const;
    await service.app.commands.execute(new DecideApprovalCommand(decided, by, 'approved', null));
    await expireAt([due, decided], '-1 second');
    await service.app.sweeper.sweep();
    expect((await service.app.store.find(due))?.approval).toMatchObject({
      status: 'expired',
      by: { kind: 'system', cause: 'timeout' },
    });
    expect((await service.app.store.find(open))?.approval.status).toBe('pending');
    expect((await service.app.store.find(decided))?.approval.status).toBe('approved');
    expect(await expiredAudits([due, open, decided])).toBe(1);
  });

  it('works off more than a batch, batch by batch', async () => {
    const ids = await newIds(13);
    await expireAt(ids, '-1 second');
    await service.app.sweeper.sweep();
    expect(new Set(await statuses(ids))).toEqual(new Set(['expired']));
    expect(await expiredAudits(ids)).toBe(13);
  });

  it('ends when the last batch is exactly full', async () => {
    const ids = await newIds(10);
    await expireAt(ids, '-1 second');
    await service.app.sweeper.sweep();
    expect(await expiredAudits(ids)).toBe(10);
  });

  it('waits for the grace period', async () => {
    const graceful = await openTestApp(service.database.url, { APPROVAL_GRACE_PERIOD_SECONDS: '60' });
    try {
      const id = await newId();
      await expireAt([id], '-59 seconds');
      await graceful.sweeper.sweep();
      expect(await statuses([id])).toEqual(['pending']);
      await expireAt([id], '-60 seconds');
      await graceful.sweeper.sweep();
      expect(await statuses([id])).toEqual(['expired']);
    } finally {
      await graceful.close();
    }
  });

  it('goes by the timeout of each request, and by the default where none was asked for', async () => {
    const api = new Api(service.app.url);
    const [short, standard] = [await api.enqueue({ timeoutSeconds: 1 }), await api.enqueue()];
    const lasts = ({ createdAt, expiresAt }: { createdAt: string; expiresAt: string }) =>
      (Date.parse(expiresAt) - Date.parse(createdAt)) / 1000;
    expect([lasts(short.body), lasts(standard.body)]).toEqual([1, 30 * 60]);
    await until('the short one is over', async () => {
      await service.app.sweeper.sweep();
      return (await statuses([short.body.id]))[0] === 'expired';
    });
    expect(await statuses([standard.body.id])).toEqual(['pending']);
  });

  it('finds a request that was asked for later and ends earlier than what was swept before', async () => {
    const [long, short] = [await newId(), await newId()];
    await expireAt([long], '-1 second');
    await service.app.sweeper.sweep();
    await service.app.sweeper.sweep();
    await expireAt([short], '-2 seconds');
    await service.app.sweeper.sweep();
    expect(await statuses([long, short])).toEqual(['expired', 'expired']);
  });

  it('at the latest the thirteenth time finds a request that came to be due long ago', async () => {
    const id = await newId();
    await service.app.sweeper.sweep();
    await expireAt([id], '-1 hour');
    for (let n = 0; n < 13; n++) await service.app.sweeper.sweep();
    expect(await statuses([id])).toEqual(['expired']);
  });

  it('by a replica that starts anew finds it at once', async () => {
    const id = await newId();
    await service.app.sweeper.sweep();
    await expireAt([id], '-1 hour');
    const other = await openTestApp(service.database.url);
    try {
      await other.sweeper.sweep();
    } finally {
      await other.close();
    }
    expect(await statuses([id])).toEqual(['expired']);
  });

  it('finds what another replica held, but gave back', async () => {
    const id = await newId();
    await expireAt([id], '-1 second');
    await service.database.query('begin');
    try {
      await service.database.query(`select 1 from approvals where id = $1 for update`, [id]);
      await service.app.sweeper.sweep();
      await service.app.sweeper.sweep();
    } finally {
      await service.database.query('rollback');
    }
    expect(await statuses([id])).toEqual(['pending']);
    await service.app.sweeper.sweep();
    expect(await statuses([id])).toEqual(['expired']);
  });

  it('beside another replica ends every request once', async () => {
    const other = await openTestApp(service.database.url, { APPROVAL_SWEEP_BATCH_SIZE: '5' });
    try {
      const ids = await newIds(60);
      await expireAt(ids, '-1 second');
      await Promise.all([service.app.sweeper.sweep(), other.sweeper.sweep()]);
      expect(new Set(await statuses(ids))).toEqual(new Set(['expired']));
      expect(await expiredAudits(ids)).toBe(60);
    } finally {
      await other.close();
    }
  });
});

describe('the schedule', () => {
  it('sweeps by itself', async () => {
    const scheduled = await openTestApp(service.database.url, { APPROVAL_SWEEP_INTERVAL_SECONDS: '1' });
    try {
      const id = await newId();
      await expireAt([id], '-1 second');
      await until('the sweep came', async () => (await statuses([id]))[0] === 'expired');
    } finally {
      await scheduled.close();
    }
    expect(scheduled.get(SchedulerRegistry).getIntervals()).toEqual([]);
  });
});

describe('the sweeper itself', () => {
  const EVERY_SECONDS = 5;
  let clock: FakeClock;
  let events: LogLine[];

  /** Somebody who always finds something due. */
  const alwaysDue = (): Promise<DueLook> => Promise.resolve({ due: true, until: new Date(0) });

  /** A sweeper on a clock of its own, over the given buses. */
  function sweeperOver(
    execute: (command: CancelApprovalCommand) => Promise<readonly unknown[]>,
    look: (query: LookForDueQuery) => Promise<DueLook> = alwaysDue,
  ) {
    clock = new FakeClock();
    events = [];
    const log = createLog(
      { level: 'trace', format: 'json' },
      { write: (line) => void events.push(JSON.parse(line) as LogLine) },
    );
    const registry = new SchedulerRegistry();
    const config = parseConfig({ APPROVAL_SWEEP_INTERVAL_SECONDS: String(EVERY_SECONDS) });
    const commands = { execute } as unknown as CommandBus;
    const queries = { execute: look } as unknown as QueryBus;
    return { sweeper: new TimeoutSweeper(commands, queries, registry, clock, log, config), registry };
  }

  /** Looks that find what they are told to, a second later each. */
  function scriptedLooks() {
    const asked: (number | null)[] = [];
    const finds: boolean[] = [];
    const look = ({ after }: LookForDueQuery): Promise<DueLook> => {
      asked.push(after === null ? null : after.getTime() / 1000);
      return Promise.resolve({ due: finds.shift() ?? false, until: new Date(1000 * (100 + asked.length)) });
    };
    return { asked, finds, look };
  }

  it('begins three seconds before where the last one found nothing, and every thirteenth time at the beginning', async () => {
    const { asked, look } = scriptedLooks();
    const { sweeper } = sweeperOver(() => Promise.resolve([]), look);
    for (let n = 0; n < 14; n++) await sweeper.sweep();
    expect(asked).toEqual([null, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, null]);
  });

  it('ends what it finds from there on, and begins there again as long as something is left', async () => {
    const { asked, finds, look } = scriptedLooks();
    const from: (number | null)[] = [];
    const { sweeper } = sweeperOver(({ cancellation }) => {
      const { after } = cancellation as { after: Date | null };
      from.push(after === null ? null : after.getTime() / 1000);
      return Promise.resolve([]);
    }, look);
    await sweeper.sweep();
    finds.push(true, true);
    await sweeper.sweep();
    expect(new Set(from)).toEqual(new Set([98]));
    finds.push(true, false);
    await sweeper.sweep();
    await sweeper.sweep();
    expect(asked).toEqual([null, 98, 98, 98, 98, 102]);
    expect(new Set(from)).toEqual(new Set([98]));
  });

  it('does not begin further on for a sweep that failed', async () => {
    const { asked, look } = scriptedLooks();
    let away = false;
    const { sweeper } = sweeperOver(
      () => Promise.resolve([]),
      (query) => (away ? Promise.reject(new Error('away')) : look(query)),
    );
    await sweeper.sweep();
    away = true;
    await sweeper.sweep();
    away = false;
    await sweeper.sweep();
    expect(asked).toEqual([null, 98]);
  });

  /** Looks that find nothing, each when it is told to. */
  function heldLooks() {
    const held = { count: 0, finish: (): void => undefined };
    const look = (): Promise<DueLook> => {
      held.count++;
      return new Promise((resolve) => (held.finish = () => resolve({ due: false, until: new Date(0) })));
    };
    return { held, look };
  }

  it('joins a sweep that runs already', async () => {
    const { held, look } = heldLooks();
    const { sweeper } = sweeperOver(() => Promise.resolve([]), look);
    const both = [sweeper.sweep(), sweeper.sweep()];
    expect(held.count).toBe(1);
    held.finish();
    await Promise.all(both);
    const next = sweeper.sweep();
    expect(held.count).toBe(2);
    held.finish();
    await next;
  });

  it('survives a database that is away, tells it once, and tells the recovery', async () => {
    const wire = await startTcpProxy(service.database.url);
    const cutOff = await openTestApp(wire.url);
    try {
      const { sweeper } = sweeperOver(async () =>
        (await cutOff.store.expireDue(500, null)).length > 0 ? ['some'] : [],
      );
      const id = await newId();
      await expireAt([id], '-1 second');
      wire.cut();
      await sweeper.sweep();
      await sweeper.sweep();
      await sweeper.sweep();
      expect(events.map(({ event, level }) => [event, level])).toEqual([['sweep.failed', 'error']]);
      wire.mend();
      await until('a sweep went through', async () => {
        await sweeper.sweep();
        return events.length > 1;
      });
      await sweeper.sweep();
      expect(events.map(({ event }) => event)).toEqual(['sweep.failed', 'sweep.recovered']);
      expect(await statuses([id])).toEqual(['expired']);
    } finally {
      await cutOff.close();
      await wire.close();
    }
  });

  it('is late after three intervals without a sweep that went through, and not before', async () => {
    let failing = false;
    const { sweeper } = sweeperOver(() =>
      failing ? Promise.reject(new Error('away')) : Promise.resolve([]),
    );
    await sweeper.sweep();
    clock.advance(3 * EVERY_SECONDS * 1000);
    expect(sweeper.health()).toMatchObject({ healthy: true, lagSeconds: 15 });
    clock.advance(1);
    expect(sweeper.health().healthy).toBe(false);
    failing = true;
    await sweeper.sweep();
    expect(sweeper.health().healthy).toBe(false);
    failing = false;
    await sweeper.sweep();
    expect(sweeper.health()).toMatchObject({ healthy: true, lagSeconds: 0 });
  });

  it('is not disturbed by a clock that is set', async () => {
    const { sweeper } = sweeperOver(() => Promise.resolve([]));
    await sweeper.sweep();
    clock.stepWallClock(-600_000);
    clock.stepWallClock(1_200_000);
    expect(sweeper.health()).toMatchObject({ healthy: true, lagSeconds: 0 });
  });

  it('at shutdown starts no sweep any more and waits for the one that runs', async () => {
    const { held, look } = heldLooks();
    const { sweeper, registry } = sweeperOver(() => Promise.resolve([]), look);
    sweeper.onApplicationBootstrap();
    expect(registry.getIntervals()).toEqual(['timeout-sweep']);
    const running = sweeper.sweep();
    let stopped = false;
    const stopping = sweeper.beforeApplicationShutdown().then(() => (stopped = true));
    expect(registry.getIntervals()).toEqual([]);
    await Promise.resolve();
    expect(stopped).toBe(false);
    held.finish();
    await Promise.all([running, stopping]);
    expect(stopped).toBe(true);
  });

  it('that never began is stopped without complaint', async () => {
    const { sweeper } = sweeperOver(() => Promise.resolve([]));
    await expect(sweeper.beforeApplicationShutdown()).resolves.toBeUndefined();
  });
});

describe('health', () => {
  it('shows a late sweep as degraded, with the reason, and stays 200', async () => {
    const late = await openTestApp(service.database.url);
    try {
      // Its clock is its own; what counts is that the health page asks the sweeper.
      const health = jest
        .spyOn(late.sweeper, 'health')
        .mockReturnValue({ healthy: false, lagSeconds: 99.4, durationSeconds: 0 });
      const answer = await new Api(late.url).call<{ status: string; details: Record<string, unknown> }>(
        null,
        'GET',
        '/health',
      );
      expect(health).toHaveBeenCalled();
      expect(answer.status).toBe(200);
      expect(answer.body.status).toBe('ok');
      expect(answer.body.details.sweeper).toEqual({
        status: 'up',
        degraded: true,
        reason: 'no sweep has succeeded for 99 s',
      });
    } finally {
      await late.close();
    }
  });
});
