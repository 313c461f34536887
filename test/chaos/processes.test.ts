import { Api } from '../support/api';
import { ask, asked, closedCards, deadLetters, endingsOf, HASTE, outboxDrained } from '../support/chaos';
import { Service } from '../support/processes';
import { buttonsOf, type BotCall, type SandboxClient } from '../support/sandbox-client';
import { setBackdrop, strike, type Backdrop } from '../support/stage';
import { until } from '../support/until';
import { OPERATOR_ID } from '../support/well-known';

const LEASE_SECONDS = 2;
/** A replica looks for what others left behind every second: with a lease so short that would be much of it. */
const MEASURED_LEASE_SECONDS = 8;
/** performance.md 15. */
const MAX_REDELIVERY_PER_LEASE = 1.2;

interface Replica {
  readonly service: Service;
  readonly api: Api;
}

let backdrop: Backdrop;
let chat: SandboxClient;
const replicas = new Set<Service>();

beforeAll(async () => {
  backdrop = await setBackdrop();
  chat = backdrop.chat;
});
afterEach(async () => {
  await chat.clearFaults();
  await Promise.all([...replicas].map(killed));
});
afterAll(strike);

async function started(leaseSeconds = LEASE_SECONDS): Promise<Replica> {
  const service = await Service.start({
    ...backdrop.environment,
    ...HASTE,
    ESCALATION_LEASE_SECONDS: String(leaseSeconds),
  });
  replicas.add(service);
  return { service, api: new Api(service.url) };
}

/**
 * With SIGKILL. What it leaves to run out, and other tests are about, is ended: the poller's lease, and the room in the
 * send budget that its calls hold for 15 s, as three of them would take all that one chat has.
 */
async function killed(service: Service): Promise<void> {
  replicas.delete(service);
  service.killGroup();
  await service.ended;
  await backdrop.database.query(
    `update leases set expires_at = now() where name = 'telegram-poller' and holder like $1`,
    [`%:${service.pid}:%`],
  );
  await backdrop.database.query(`delete from send_slots where at > now()`);
}

/** Waits for a call that begins after this moment and has no answer yet. */
const underWay = (method: string, sinceMs: number): Promise<BotCall> =>
  until(`${method} is under way`, async () =>
    (await chat.calls(method)).find(({ atMs, status }) => atMs >= sinceMs && status === null),
  );

/** Stops the process at a moment at which it holds no lock in the database. */
async function stopped(service: Service): Promise<void> {
  await until('it stands still between two transactions', async () => {
    service.signal('SIGSTOP');
    const held = await backdrop.database.query(
      `select 1 from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'`,
    );
    if (held.length > 0) service.signal('SIGCONT');
    return held.length === 0;
  });
}

/** Taps Approve wherever it can be tapped until no message of these requests has a button. */
async function tapEverything(ids: readonly string[]): Promise<void> {
  await until(
    'every message of every request is closed',
    async () => {
      const messages = (await chat.messages()).filter(({ replyTo }) => replyTo === null);
      const ours = ids.map((id) => messages.filter(({ text }) => text.includes(id.slice(-8))));
      const open = ours.flat().filter((message) => buttonsOf(message).length > 0);
      await Promise.all(open.map(({ messageId }) => chat.press(messageId, 'Approve').catch(alreadyClosed)));
      return open.length === 0 && ours.every((copies) => copies.length > 0);
    },
    45_000,
  );
}

/** A button may vanish between looking and tapping. */
function alreadyClosed(error: unknown): null {
  if (error instanceof Error && error.message.includes('HTTP 404')) return null;
  throw error;
}

describe('kill -9', () => {
  it('after the send, before its message id is stored: redelivered within 1.2 leases, and either copy decides the one request', async () => {
    const first = await started(MEASURED_LEASE_SECONDS);
    await chat.card((await asked(first.api)).id);
    const second = await started(MEASURED_LEASE_SECONDS);
    // Only the first can take the card.
    await stopped(second.service);
    const before = Date.now();
    // The sandbox shows the message although its sender is gone by then.
    await chat.fault({ method: 'sendMessage', delayMs: 3_000 });
    const { id } = await asked(first.api);
    await underWay('sendMessage', before);
    second.service.signal('SIGCONT');
    const killedAt = Date.now();
    await killed(first.service);
    const copies = await until('two copies', async () => {
      const cards = await chat.cardsOf(id);
      return cards.length === 2 && cards;
    });
    const [, resent] = (await chat.calls('sendMessage')).filter(({ atMs }) => atMs >= before);
    const perLease = ((resent?.atMs ?? NaN) - killedAt) / (MEASURED_LEASE_SECONDS * 1_000);
    console.log(`redelivery after kill -9 ÷ lease: ${perLease.toFixed(2)}`);
    expect(perLease).toBeLessThanOrEqual(MAX_REDELIVERY_PER_LEASE);

    const known = await backdrop.database.query<{ id: string }>(
      `select message_id as id from cards where approval_id = $1 and message_id is not null`,
      [id],
    );
    expect(known).toHaveLength(1);
    const unheard = copies.find(({ messageId }) => String(messageId) !== known[0]?.id);
    expect(await chat.press(unheard?.messageId ?? 0, 'Approve')).toMatchObject({ showAlert: false });
    await closedCards(chat, id, 2);
    expect(await endingsOf(backdrop.database, [id])).toEqual([['approval.approved']]);
  });

  it('before the send: the card comes once; twice so: it is kept as a dead letter, still decidable, and sent when replayed', async () => {
    let replica = await started();
    const ids: string[] = [];
    for (const kills of [1, 2]) {
      const { id } = await asked(replica.api);
      ids.push(id);
      for (let kill = 0; kill < kills; kill++) {
        await chat.fault({ method: 'sendMessage', delayMs: 8_000, reset: 'before' });
        await until('it is being sent', async () => (await sends(id)) > kill, 20_000);
        await killed(replica.service);
        replica = await started();
      }
      if (kills === 1) await chat.card(id, 2, 20_000);
    }
    const [once = '', twice = ''] = ids;
    await until(
      'the second is given up',
      async () => (await deadLetters(backdrop.database)).length === 1,
      20_000,
    );
    expect(await chat.cardsOf(once)).toHaveLength(1);
    expect(await chat.cardsOf(twice)).toEqual([]);
    expect((await replica.api.get(twice)).body.status).toBe('pending');
    expect(
      (await replica.api.call('operator', 'POST', '/api/diagnostics/outbox/replay', {})).status,
    ).toBeLessThan(300);
    const card = await chat.card(twice);
    await chat.press(card.messageId, 'Reject');
    await closedCards(chat, twice, 1);
    expect(await endingsOf(backdrop.database, [twice])).toEqual([['approval.rejected']]);

    async function sends(id: string): Promise<number> {
      return (await chat.calls('sendMessage')).filter(({ params }) =>
        String(params.text).includes(id.slice(-8)),
      ).length;
    }
  });

  it('after the decision, before the tap is answered: it counts once, and the tap that comes again is answered', async () => {
    const first = await started();
    const { id } = await asked(first.api);
    const card = await chat.card(id);
    const before = Date.now();
    await chat.fault({ method: 'answerCallbackQuery', delayMs: 2_000, status: 500 });
    const tapped = chat.press(card.messageId, 'Approve');
    await underWay('answerCallbackQuery', before);
    expect(await endingsOf(backdrop.database, [id])).toEqual([['approval.approved']]);
    await killed(first.service);
    const { api } = await started();
    expect(await tapped).toMatchObject({ text: expect.stringMatching(/approved/i) as string });
    await closedCards(chat, id, 1);
    expect(await endingsOf(backdrop.database, [id])).toEqual([['approval.approved']]);
    expect((await api.get(id)).body.decision?.by).toMatchObject({
      kind: 'telegram',
      id: String(OPERATOR_ID),
    });
  });

  it('of one replica after another while agents ask: no request is lost, each ends once and every copy shows it', async () => {
    let [a, b] = await Promise.all([started(), started()]);
    const ids: string[] = [];
    for (let round = 0; round < 2; round++) {
      const asking = ask(b.api, 8);
      await until('some are shown', async () => (await chat.messages()).length > ids.length);
      await killed(a.service);
      ids.push(...(await asking));
      [a, b] = [b, await started()];
    }
    await tapEverything(ids);
    await outboxDrained(backdrop.database);
    expect(await endingsOf(backdrop.database, ids)).toEqual(ids.map(() => ['approval.approved']));
    expect(await deadLetters(backdrop.database)).toEqual([]);
  });

  it('of the replica that seals the audit log: another goes on with the same chain, and no row is left out', async () => {
    const sealerAmong = (pids: readonly number[]): Promise<number> =>
      until('one of them seals', async () => {
        const [lease] = await backdrop.database.query<{ holder: string }>(
          `select holder from leases where name = 'audit-sealer' and expires_at > now()`,
        );
        return pids.find((pid) => lease?.holder.includes(`:${pid}:`));
      });
    const both = await Promise.all([started(), started()]);
    const sealer = await sealerAmong(both.map(({ service }) => service.pid));
    const [victim, heir] = both[0].service.pid === sealer ? both : both.toReversed();
    if (!victim || !heir) throw new Error('there are two');
    const asking = ask(heir.api, 20);
    await killed(victim.service);
    await asking;
    expect(await sealerAmong([heir.service.pid])).toBe(heir.service.pid);
    const verified = await until('everything is sealed', async () => {
      const { body } = await heir.api.call<{ ok: boolean; unsealed: number; firstBad: unknown }>(
        'operator',
        'GET',
        '/api/audit/verify',
      );
      return body.unsealed === 0 && body;
    });
    expect(verified).toMatchObject({ ok: true, firstBad: null });
  });
});

describe('SIGSTOP', () => {
  it('a lease that runs out mid-send, its holder going on later: one final state, and both copies show it', async () => {
    const zombie = await started();
    const before = Date.now();
    await chat.fault({ method: 'sendMessage', delayMs: 1_000 });
    const { id } = await asked(zombie.api);
    await underWay('sendMessage', before);
    await stopped(zombie.service);
    const other = await started();
    await until('the second copy', async () => (await chat.cardsOf(id)).length === 2, 30_000);
    expect((await other.api.decide(id, 'approved')).body.status).toBe('approved');
    await until('the copy that is known is closed', async () =>
      (await chat.cardsOf(id)).some((card) => buttonsOf(card).length === 0),
    );
    zombie.service.signal('SIGCONT');
    await closedCards(chat, id, 2, 30_000);
    expect(await endingsOf(backdrop.database, [id])).toEqual([['approval.approved']]);
    expect((await zombie.api.get(id)).body.status).toBe('approved');
  });
});
