import { keySetSchema, type KeySet } from '../../src/receipts/key-set';
import { readReceipt } from '../../src/receipts/verify-receipt';
import { AFTERMATH, ENDED, STILL_PENDING } from '../../src/approvals/approval-statements';
import { startSandbox, type RunningSandbox } from '../../src/sandbox/sandbox-server';
import { Api, requestBody } from './api';
import { startTestApp, type TestApp } from './app';
import { createTestDatabase, type TestDatabase } from './database';
import { issueKey, keyIs, revokeKey } from './keys';
import { freePort } from './processes';
import { seededRandom, shuffled } from './random';
import { HASTE } from './telegram-rig';
import { until } from './until';
import { AGENT_KEY, telegramEnvironment } from './well-known';

const SECRET = 'a-secret-of-the-webhook_0123456789';
const PATH = '/telegram/webhook';
/** Most races at the same time; meanwhile people leave and keys are revoked. */
const WAVE = 50;
/** Calls between two versions of the policy. */
const CALLS_PER_VERSION = 40;

/** Numeric ids of Telegram users; the policy does not name the stranger. */
const TELEGRAM = { olivia: 1001, sam: 1002, paul: 1003, tom: 1004, stranger: 1009 } as const;

/** The people who are in one of the groups, in one version at least. */
const DECIDERS: readonly string[] = ['olivia', 'sam', 'paul', 'rita'];

const policy = (sams: string, pauls: string) => `
version: 1
people:
  olivia: { telegram: ${TELEGRAM.olivia}, groups: [sre, leads] }
  sam: { telegram: ${TELEGRAM.sam}, groups: [${sams}] }
  paul: { telegram: ${TELEGRAM.paul}, groups: [${pauls}] }
  rita: { groups: [leads] }
  tom: { telegram: ${TELEGRAM.tom}, groups: [interns] }
  ada: { groups: [admins] }
rules:
  - { id: two, decision: ask, match: { tool: [Bash], command: { mentions: [[two]] } }, class: two }
  - { id: three, decision: ask, match: { tool: [Bash], command: { mentions: [[three]] } }, class: three }
  - { id: veto, decision: ask, match: { tool: [Bash], command: { mentions: [[veto]] } }, class: veto }
classes:
  two: { approvals: 2, from: [sre, leads] }
  three: { approvals: 3, from: [sre, leads] }
  veto: { approvals: 2, rejections: 2, from: [sre, leads] }
`;

/** The versions that follow one another, with the people who are then in none of the groups. */
const VERSIONS: readonly { text: string; out: readonly string[] }[] = [
  { text: policy('sre', 'sre'), out: [] },
  { text: policy('interns', 'sre'), out: ['sam'] },
  { text: policy('sre', 'interns'), out: ['paul'] },
];

const NEEDS = {
  two: { approved: 2, rejected: 1 },
  three: { approved: 3, rejected: 1 },
  veto: { approved: 2, rejected: 2 },
} as const;
type Kind = keyof typeof NEEDS;

/** An account of a person, by which this person decides. */
interface Account {
  readonly person: string;
  /** As decisions name it: the id of a Telegram user or the name of a key. */
  readonly id: string;
  readonly key: string | null;
}

type Verdict = 'approved' | 'rejected';
type Act = Verdict | 'taken-back';

interface Move {
  readonly act: Act;
  readonly by: Account;
  readonly from: number;
  readonly to: number;
  /** Status in the answer to a decision by key; null: a tap, or a refusal. */
  readonly status: string | null;
}

interface Race {
  readonly id: string;
  readonly kind: Kind;
  /** Owner of the key that asked; null: none. */
  readonly owner: string | null;
  readonly nonce: string;
  readonly messageId: string;
  readonly moves: Move[];
  /** The end and its receipt, as each replica reads it. */
  readonly seen: unknown[];
}

/** The person counts for nothing between these moments, by the account, or by any (null). */
interface Absence {
  readonly person: string;
  readonly account: string | null;
  readonly from: number;
  to: number;
}

/** The statement by which a version that knows no quorum settles a request; it ends with the work after a settlement. */
const OLD_SETTLE = `
  with ended as (
    update approvals set status = $2, settled_at = $8, settled_by_kind = $3, settled_by_id = $4,
      settled_by_name = $5, reason = $6, answers = null
    where id = $1 and ${STILL_PENDING} and expires_at > now()
      and $8::timestamptz between now() - make_interval(secs => 5) and now()
    returning ${ENDED}
  ), signed as (
    insert into receipts (approval_id, jws) select id, $9 from ended on conflict (approval_id) do nothing
  ), decided as (
    insert into decisions (approval_id, by_kind, by_id, by_name, verdict, reason, display_digest, decided_at)
    select id, settled_by_kind, settled_by_id, settled_by_name, status, reason, $10, settled_at from ended
    on conflict do nothing
  ), ${AFTERMATH('$7')}`;

/** The replica of an older version settles as this account, and writes this instead of a receipt. */
export const OLD_RECEIPT = 'of an older version';

export async function settleAsOlderVersion(
  database: TestDatabase,
  id: string,
  by: { readonly kind: 'api' | 'telegram'; readonly id: string },
): Promise<number> {
  const [clock] = await database.query<{ now: Date }>(`select date_trunc('milliseconds', now()) as now`);
  const values = [id, 'approved', by.kind, by.id, by.id, null, [], clock?.now, OLD_RECEIPT, null];
  return (await database.query(OLD_SETTLE, values)).length;
}

export interface Tally {
  readonly endings: Record<string, number>;
  /** Approvals that the trigger refused to the replica of the older version. */
  refusedToOlder: number;
  /** Races in which somebody was certainly out of the groups, or without the key, when it was settled. */
  settledInAbsence: number;
}

/** Sends a call again whose connection the server had closed while it was idle. */
async function sent<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!/ECONNRESET|other side closed/.test(String((error as Error).cause))) throw error;
    return call();
  }
}

/** Three replicas, people with several accounts, and everything that can happen to a request at the same moment. */
export class QuorumRaces {
  readonly tally: Tally = { endings: {}, refusedToOlder: 0, settledInAbsence: 0 };
  private readonly absences: Absence[] = [];
  private readonly personOf = new Map<string, string>();
  private moment = 0;
  private updateId = 900_000_000;
  private version: string | null = null;
  private nth = 0;
  private admin = '';
  /** Key of a person who sees every request and decides none. */
  private reader = '';
  private agents: { key: string; owner: string | null }[] = [];
  private accounts: Account[] = [];
  private leaving: Account | null = null;
  private keySet!: KeySet;

  private constructor(
    readonly database: TestDatabase,
    private readonly sandbox: RunningSandbox,
    private readonly replicas: readonly TestApp[],
    private readonly random: () => number,
  ) {}

  static async start(seed: number): Promise<QuorumRaces> {
    const database = await createTestDatabase();
    const limits = { perSecond: 1e6, chatPerSecond: 1e6, chatBurst: 1e6, groupPerMinute: 1e6 };
    const sandbox = await startSandbox({ port: 0, limits });
    const port = String(await freePort());
    const environment = {
      ...telegramEnvironment(sandbox.url),
      ...HASTE,
      TELEGRAM_BUDGET_PER_SECOND: '10000',
      TELEGRAM_BUDGET_CHAT_PER_SECOND: '10000',
      TELEGRAM_BUDGET_GROUP_PER_MINUTE: '100000',
      TELEGRAM_MODE: 'webhook',
      TELEGRAM_WEBHOOK_URL: `http://127.0.0.1:${port}${PATH}`,
      TELEGRAM_WEBHOOK_SECRET: SECRET,
      APPROVAL_SWEEP_INTERVAL_SECONDS: '1',
      ESCALATION_LEASE_SECONDS: '30',
      LOG_LEVEL: 'error',
    };
    const replicas: TestApp[] = [];
    for (const own of [port, '0', '0'])
      replicas.push(await startTestApp(database.url, { ...environment, PORT: own }));
    const races = new QuorumRaces(database, sandbox, replicas, seededRandom(seed));
    await races.enrol();
    return races;
  }

  async close(): Promise<void> {
    for (const replica of this.replicas) await replica.close();
    await this.sandbox.close();
    await this.database.drop();
  }

  /** Runs the races and checks each of them. */
  async run(count: number): Promise<void> {
    for (let done = 0; done < count; done += WAVE) await this.wave(Math.min(WAVE, count - done));
  }

  /** A request of this kind that nobody has decided. */
  async pendingFor(kind: Kind): Promise<string> {
    const { body } = await this.api(0).enqueue({ toolInput: { command: kind }, cwd: '/srv' });
    return body.id;
  }

  /** Errors that the replicas have logged. */
  get errors(): readonly unknown[] {
    return this.replicas.flatMap(({ events }) =>
      // 503: on a busy machine a call is refused, and tried again.
      events.filter(({ level, status }) => (level === 'error' || level === 'fatal') && status !== 503),
    );
  }

  private api(nth = Math.floor(this.random() * 1e6)): Api {
    return new Api(this.urlOf(nth), { agent: AGENT_KEY, operator: this.reader });
  }

  private urlOf(nth: number): string {
    return this.replicas[nth % this.replicas.length]?.url ?? '';
  }

  private pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.random() * items.length)];
    if (item === undefined) throw new Error('there is nothing to pick from');
    return item;
  }

  private async enrol(): Promise<void> {
    this.admin = await issueKey(this.database, 'admin', 'maria', 'maria');
    this.reader = await issueKey(this.database, 'operator', 'ada-laptop', 'ada');
    const sams = await issueKey(this.database, 'agent', 'agent-of-sam', ' SAM ');
    const nobodys = await issueKey(this.database, 'agent', 'agent-of-nobody');
    this.agents = [
      { key: sams, owner: 'sam' },
      { key: nobodys, owner: null },
      { key: nobodys, owner: null },
    ];
    for (const [person, id] of Object.entries(TELEGRAM)) this.account(person, String(id), null);
    for (const [name, owner] of [
      ['olivia-laptop', 'Olivia'],
      ['olivia-phone', ' olivia '],
      ['sam-laptop', 'sam'],
      ['rita-laptop', 'rita'],
      ['tom-laptop', 'tom'],
    ] as const)
      this.account(owner.trim().toLowerCase(), name, await issueKey(this.database, 'operator', name, owner));
    for (const { key } of this.accounts)
      if (key !== null) for (const { url } of this.replicas) await keyIs(true, url, key);
    for (const { url } of this.replicas) await keyIs(true, url, sams);
    for (const { url } of this.replicas) await keyIs(true, url, this.reader);
    for (const { url } of this.replicas) await keyIs(true, url, nobodys);
    await until('the first policy is applied', async () => (await this.applyNext()) === 200);
    this.keySet = keySetSchema.parse(await (await fetch(`${this.urlOf(0)}/.well-known/jwks.json`)).json());
  }

  private account(person: string, id: string, key: string | null): Account {
    const account = { person, id, key };
    this.personOf.set(id, person);
    this.accounts.push(account);
    return account;
  }

  /** Applies the next version: people leave their groups and come back. */
  private async applyNext(): Promise<number> {
    const next = VERSIONS[this.nth % VERSIONS.length];
    if (next === undefined) throw new Error('there are no versions');
    // From here on, who was out may be in again.
    for (const absence of this.absences)
      if (absence.account === null && absence.to === Infinity) absence.to = this.moment++;
    const response = await sent(() =>
      fetch(`${this.urlOf(this.nth)}/api/policy`, {
        method: 'PUT',
        headers: {
          authorization: `Bearer ${this.admin}`,
          'content-type': 'application/yaml',
          ...(this.version === null ? { 'if-none-match': '*' } : { 'if-match': this.version }),
        },
        body: next.text,
      }),
    );
    const body = (await response.json()) as { version?: string };
    if (response.status !== 200) return response.status;
    this.version = body.version ?? null;
    this.nth++;
    for (const person of next.out)
      this.absences.push({ person, account: null, from: this.moment++, to: Infinity });
    return response.status;
  }

  /** Revokes the key of which everybody knows by now, and makes the next one. */
  private async changeKeys(): Promise<void> {
    const { leaving } = this;
    if (leaving !== null) {
      await revokeKey(this.database, leaving.id);
      this.absences.push({ person: leaving.person, account: leaving.id, from: this.moment++, to: Infinity });
      this.accounts = this.accounts.filter(({ id }) => id !== leaving.id);
    }
    const name = `paul-${this.moment++}`;
    const key = await issueKey(this.database, 'operator', name, 'paul');
    this.leaving = this.account('paul', name, key);
  }

  private async wave(count: number): Promise<void> {
    const races = await this.ask(count);
    const decided = new AbortController();
    const over = decided.signal;
    const meanwhile = (async () => {
      while (!over.aborted) {
        expect([200, 503]).toContain(await this.applyNext());
        await this.changeKeys();
        const next = this.moment + 2 * CALLS_PER_VERSION;
        await until('people have decided meanwhile', () => over.aborted || this.moment >= next);
      }
    })();
    await Promise.all(races.map((race) => this.race(race)));
    decided.abort();
    await meanwhile;
    await this.endAll(races);
    await this.check(races);
  }

  private async ask(count: number): Promise<Race[]> {
    const kinds = Object.keys(NEEDS) as Kind[];
    const asked = await Promise.all(
      Array.from({ length: count }, async (_, nth) => {
        const kind = this.pick(kinds);
        const agent = this.pick(this.agents);
        const body = requestBody({
          toolInput: { command: `${kind} ${nth}` },
          cwd: '/srv',
          sessionId: `session-${this.moment++}`,
        });
        const headers = { authorization: `Bearer ${agent.key}` };
        const answer = await sent(() => this.api(nth).call(null, 'POST', '/api/approvals', body, headers));
        expect(answer).toMatchObject({ status: 201, body: { status: 'pending', policy: { class: kind } } });
        return { id: answer.body.id, kind, owner: agent.owner };
      }),
    );
    const cards = await until('every card is in the chat', async () => {
      const rows = await this.database.query<{ approval_id: string; nonce: string; message_id: string }>(
        `select approval_id, nonce, message_id from cards
         where approval_id = any($1::uuid[]) and message_id is not null`,
        [asked.map(({ id }) => id)],
      );
      return rows.length === count && new Map(rows.map((row) => [row.approval_id, row]));
    });
    return asked.map((each) => {
      const card = cards.get(each.id);
      return { ...each, nonce: card?.nonce ?? '', messageId: card?.message_id ?? '', moves: [], seen: [] };
    });
  }

  /** Three to five lines of moves, each of them one after the other, all of them at the same time. */
  private async race(race: Race): Promise<void> {
    const lines = Array.from({ length: 3 + Math.floor(this.random() * 3) }, () =>
      Array.from({ length: 1 + Math.floor(this.random() * 3) }, () => this.somethingOf(race)),
    );
    await Promise.all(
      shuffled(this.random, lines).map(async (line) => {
        for (const move of line) await move();
      }),
    );
  }

  private somethingOf(race: Race): () => Promise<unknown> {
    const chance = this.random();
    if (chance < 0.03) return () => this.expire(race);
    if (chance < 0.05) return () => this.cancel(race);
    if (chance < 0.12) return () => this.settleAsOlder(race);
    const act: Act = chance < 0.72 ? 'approved' : chance < 0.86 ? 'taken-back' : 'rejected';
    return () => this.move(race, act, this.pick(this.accounts));
  }

  private async move(race: Race, act: Act, by: Account): Promise<void> {
    const from = this.moment++;
    const status = by.key === null ? await this.tap(race, act, by) : await this.call(race, act, by.key);
    race.moves.push({ act, by, from, to: this.moment++, status });
  }

  private async call(race: Race, act: Act, key: string): Promise<string | null> {
    const method = act === 'taken-back' ? 'DELETE' : 'POST';
    const body = act === 'taken-back' ? undefined : { decision: act };
    const headers = { authorization: `Bearer ${key}` };
    const path = `/api/approvals/${race.id}/decision`;
    const answer = await sent(() => this.api().call(null, method, path, body, headers));
    // 401: of a key that is new or revoked; 404: of a person who does not see the settled request; 503: a decision that must be
    // tried again.
    expect([200, 401, 403, 404, 409, 503]).toContain(answer.status);
    return answer.status === 200 ? answer.body.status : null;
  }

  /** Delivers the tap to any replica, as Telegram would. */
  private async tap(race: Race, act: Act, by: Account): Promise<null> {
    const letter = act === 'approved' ? 'a' : act === 'rejected' ? 'r' : 'b';
    const update_id = this.updateId++;
    const response = await sent(() =>
      fetch(`${this.urlOf(update_id)}${PATH}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-telegram-bot-api-secret-token': SECRET },
        body: JSON.stringify({
          update_id,
          callback_query: {
            id: String(update_id),
            from: { id: Number(by.id), is_bot: false, first_name: by.person },
            message: {
              message_id: Number(race.messageId),
              chat: { id: -1001, type: 'supergroup' },
              date: 0,
              text: '',
            },
            chat_instance: '1',
            data: `1:${letter}:${race.nonce}`,
          },
        }),
      }),
    );
    expect([200, 503]).toContain(response.status);
    return null;
  }

  /** Its time is over at this moment; any sweep or read may end it. */
  private expire({ id }: Race): Promise<unknown> {
    return this.database.query(
      `update approvals set expires_at = now() where id = $1 and status = 'pending'`,
      [id],
    );
  }

  private async cancel({ id }: Race): Promise<void> {
    const { status } = await sent(() => this.api().cancel(id, undefined, 'operator'));
    expect([200, 409, 503]).toContain(status);
  }

  private async settleAsOlder({ id }: Race): Promise<void> {
    const by = this.pick(this.accounts);
    try {
      await settleAsOlderVersion(this.database, id, {
        kind: by.key === null ? 'telegram' : 'api',
        id: by.id,
      });
    } catch (error) {
      if ((error as { constraint?: string }).constraint !== 'ck_approvals_quorum') throw error;
      this.tally.refusedToOlder++;
    }
  }

  /** Ends by timeout what nobody has settled. Every replica then reads the same end, with its receipt. */
  private async endAll(races: readonly Race[]): Promise<void> {
    await this.database.query(
      `update approvals set expires_at = now() where id = any($1::uuid[]) and status = 'pending'`,
      [races.map(({ id }) => id)],
    );
    const path = (id: string) => `/api/approvals/${id}`;
    for (let nth = 0; nth < this.replicas.length; nth++) {
      const api = this.api(nth);
      await Promise.all(
        races.map(async (race) => {
          const body = await until('the replica answers', async () => {
            const answer = await sent(() => api.call('operator', 'GET', path(race.id)));
            return answer.status === 503 ? null : answer.body;
          });
          race.seen.push([body.status, body.receipt]);
        }),
      );
    }
  }

  private async check(races: readonly Race[]): Promise<void> {
    const ids = races.map(({ id }) => id);
    const endings = await this.database.query<{ id: string; types: string[] }>(
      `select approval_id as id, array_agg(type) as types from audit_log where approval_id = any($1::uuid[])
         and type in ('approval.approved', 'approval.rejected', 'approval.expired', 'approval.cancelled')
       group by approval_id`,
      [ids],
    );
    const endingOf = new Map(endings.map(({ id, types }) => [id, types]));
    const rows = await this.database.query<Settled>(
      `select id, status, settled_by_kind as kind, settled_by_id as by, jws, (
         select coalesce(json_agg(json_build_object('kind', by_kind, 'id', by_id, 'verdict', verdict,
           'digest', display_digest)), '[]')
         from decisions where approval_id = approvals.id) as decisions
       from approvals join receipts on approval_id = id where id = any($1::uuid[])`,
      [ids],
    );
    const settled = new Map(rows.map((row) => [row.id, row]));
    for (const race of races) {
      const end = settled.get(race.id);
      if (end === undefined) throw new Error(`there is no end of ${race.id}`);
      await this.checkOne(race, end, endingOf.get(race.id) ?? []);
    }
  }

  private async checkOne(race: Race, end: Settled, audited: readonly string[]): Promise<void> {
    const { endings } = this.tally;
    endings[end.status] = (endings[end.status] ?? 0) + 1;
    // One final state, and every answer that named one named this.
    expect([race.id, audited]).toEqual([race.id, [`approval.${end.status}`]]);
    const seen = race.moves.map(({ status }) => status).filter((status) => status !== null);
    expect([race.id, seen.filter((status) => status !== 'pending' && status !== end.status)]).toEqual([
      race.id,
      [],
    ]);
    expect([race.id, race.seen]).toEqual([race.id, this.replicas.map(() => [end.status, end.jws])]);
    const verdict = end.status === 'approved' || end.status === 'rejected' ? end.status : null;
    const made = end.decisions.filter((decision) => decision.verdict === verdict);
    const listed = end.jws === OLD_RECEIPT ? this.countedOf(race, made) : await this.listedIn(race, end);
    if (verdict === null) {
      expect(listed).toEqual([]);
      return;
    }
    const people = listed.map((id) => this.personOf.get(id));
    expect([race.id, new Set(people).size]).toEqual([race.id, people.length]);
    expect([race.id, people.length >= NEEDS[race.kind][verdict]]).toEqual([race.id, true]);
    for (const person of people)
      expect([race.id, DECIDERS.includes(person ?? ''), person === race.owner]).toEqual([
        race.id,
        true,
        false,
      ]);
    if (end.jws !== OLD_RECEIPT) this.checkAbsences(race, end, listed);
  }

  /** One account of each person who counts; an older version also records others, and lists nobody. */
  private countedOf({ owner }: Race, made: Settled['decisions']): string[] {
    const counted = new Map(made.map(({ id }) => [this.personOf.get(id) ?? '', id]));
    return [...counted]
      .filter(([person]) => DECIDERS.includes(person) && person !== owner)
      .map(([, id]) => id);
  }

  /** The accounts in the receipt, which are those of the decisions that count. */
  private async listedIn(race: Race, end: Settled): Promise<string[]> {
    const claims = await readReceipt(end.jws, this.keySet);
    expect([race.id, claims.status]).toEqual([race.id, end.status]);
    if (claims.bindingVersion !== 2 || claims.decisions === undefined) return [];
    for (const { by, displayDigest } of claims.decisions) {
      const row = end.decisions.find(({ kind, id }) => kind === by.kind && id === by.id);
      expect([race.id, row?.verdict, row?.digest]).toEqual([race.id, end.status, displayDigest]);
      expect(displayDigest).toMatch(/^sha256:/);
    }
    expect(claims.decidedBy).toMatchObject({ kind: end.kind, id: end.by });
    return claims.decisions.map(({ by }) => by.id);
  }

  /** Nobody counts who was out of the groups, or without the key, for as long as the call that settled it took. */
  private checkAbsences(race: Race, end: Settled, listed: readonly string[]): void {
    const settling = race.moves.filter(({ act, by }) => act === end.status && by.id === end.by);
    if (settling.length === 0) return;
    const outside = this.absences.filter(({ from, to }) =>
      settling.every((move) => from < move.from && move.to < to),
    );
    if (outside.length > 0) this.tally.settledInAbsence++;
    for (const { person, account } of outside) {
      const counted = listed.filter((id) =>
        account === null ? this.personOf.get(id) === person : id === account,
      );
      expect([race.id, person, counted]).toEqual([race.id, person, []]);
    }
  }
}

interface Settled {
  readonly id: string;
  readonly status: string;
  readonly kind: string;
  readonly by: string;
  readonly jws: string;
  readonly decisions: readonly { kind: string; id: string; verdict: Verdict; digest: string | null }[];
}
