import { existsSync, readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Api, type ApprovalJson } from '../../support/api';
import { issueKey, keyIs, revokeKey } from '../../support/keys';
import { startModelEndpoint, type Block, type ModelEndpoint } from '../../support/model-endpoint';
import { freePort, processesOf, Service, temporaryDirectory, type Program } from '../../support/processes';
import { setStage, strike, type Stage } from '../../support/stage';
import { until } from '../../support/until';
import { AGENT_KEY } from '../../support/well-known';

/** An agent takes seconds to its first question, and many times that on a machine that is busy. */
export const ASKS_WITHIN_MS = 240_000;

/** Seconds after which a call is answered at the latest, where a test waits for that. */
const SHORT_WAIT_SECONDS = 2;

/** Start values of an agent. */
export interface Place {
  /** An empty home. */
  readonly home: string;
  /** An empty working directory. */
  readonly work: string;
  readonly serviceUrl: string;
  /** The base URL of the model, without `/v1`. */
  readonly modelUrl: string;
  readonly key: string;
  /** Seconds after which the agent is answered, or its requests expire. */
  readonly waitSeconds: number;
}

/** A way in which a real agent asks. */
export interface Way {
  /** The name that a policy has for its shell. */
  readonly shellTool: string;
  /** The call of the model by which it runs a command. */
  readonly shell: (command: string) => Block;
  /** The reader of the reasons of a denial; the model by default. Not every protocol has a place for them. */
  readonly readsReasons?: 'terminal';
  /** Starts the agent without a person at a terminal. */
  readonly start: (place: Place) => Program | Promise<Program>;
  /** True if the agent runs the tool where its gate failed, as its page says. */
  readonly failsOpen?: boolean;
}

/** An agent at work, and its effects. */
export class AtWork {
  private constructor(
    readonly home: string,
    readonly work: string,
    readonly program: Program,
    /** Tool results as the model received them. */
    readonly results: readonly string[],
  ) {}

  static async begin(
    way: Way,
    model: ModelEndpoint,
    turns: readonly (readonly Block[])[],
    more: Partial<Place>,
  ): Promise<AtWork> {
    const { url, results } = model.play(turns);
    const home = temporaryDirectory('countersign-home-');
    const work = temporaryDirectory('countersign-work-');
    const place = { serviceUrl: '', key: AGENT_KEY, waitSeconds: 1800, ...more };
    const program = await way.start({ home, work, modelUrl: url, ...place });
    return new AtWork(home, work, program, results);
  }

  /** The content of a file that a command wrote; null if there is none. */
  wrote(name: string): string | null {
    const path = join(this.work, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : null;
  }
}

/** The service, a chat and a model, for the agents of one test file. */
export class Scene {
  private constructor(
    public stage: Stage,
    readonly model: ModelEndpoint,
    readonly api: Api,
    private readonly port: string,
    private readonly admin: string,
  ) {}

  static async set(): Promise<Scene> {
    const port = String(await freePort());
    const [stage, model] = await Promise.all([
      setStage({ PORT: port, APPROVAL_SWEEP_INTERVAL_SECONDS: '1' }),
      startModelEndpoint(),
    ]);
    const admin = await issueKey(stage.database, 'admin', 'maria', 'maria');
    const operator = await issueKey(stage.database, 'operator', 'olga', 'olga');
    await keyIs(true, stage.service.url, admin);
    await keyIs(true, stage.service.url, operator);
    return new Scene(stage, model, new Api(stage.service.url, { agent: AGENT_KEY, operator }), port, admin);
  }

  async strike(): Promise<void> {
    await strike();
    await this.model.close();
  }

  start(way: Way, turns: readonly (readonly Block[])[], more: Partial<Place> = {}): Promise<AtWork> {
    return AtWork.begin(way, this.model, turns, { serviceUrl: this.stage.service.url, ...more });
  }

  async requestsFor(text: string): Promise<ApprovalJson[]> {
    const all = await this.api.list('limit=200');
    return all.filter(({ toolInput }) => Object.values(toolInput).some((value) => isOrEndsIn(value, text)));
  }

  /** The newest request for this command or text, once there is one. */
  asked(text: string): Promise<ApprovalJson> {
    const what = `a request for ${text.slice(0, 60)}`;
    return until(what, async () => (await this.requestsFor(text))[0], ASKS_WITHIN_MS);
  }

  async tap(id: string, button: 'Approve' | 'Reject'): Promise<void> {
    const { chat } = this.stage;
    await chat.press((await chat.card(id)).messageId, button);
  }

  /** Kills the service, and starts it again once `meanwhile` is done. */
  async withoutService(meanwhile: () => Promise<unknown>): Promise<void> {
    await this.stage.service.kill();
    await meanwhile();
    const service = await Service.start({ ...this.stage.environment, PORT: this.port });
    this.stage = { ...this.stage, service };
  }

  /** Replaces the active policy, as an admin. */
  async applyPolicy(document: string): Promise<void> {
    const authorization = `Bearer ${this.admin}`;
    const url = `${this.stage.service.url}/api/policy`;
    const active = (await (await fetch(url, { headers: { authorization } })).json()) as {
      version: string | null;
    };
    const replaces = active.version === null ? { 'if-none-match': '*' } : { 'if-match': active.version };
    const headers = { authorization, 'content-type': 'application/yaml', ...replaces };
    const { status } = await fetch(url, { method: 'PUT', headers, body: document });
    expect(status).toBe(200);
  }

  /** Approves the request with the narrowest grant. */
  async grant(id: string): Promise<void> {
    const path = `/api/approvals/${id}/grant-offers`;
    const { body } = await this.api.call<{ offers: { id: string }[] }>('operator', 'GET', path);
    const asked = { approvalId: id, offer: body.offers[0]?.id };
    expect((await this.api.call('operator', 'POST', '/api/grants', asked)).status).toBe(201);
  }
}

/** True for the text, and for a list of words that ends with it: some agents run `bash -lc TEXT`. */
function isOrEndsIn(value: unknown, text: string): boolean {
  return value === text || (Array.isArray(value) && value.at(-1) === text);
}

/** Runs `meanwhile` with something else in the place of the service. */
export async function withStranger(
  answer: RequestListener,
  meanwhile: (url: string) => Promise<void>,
): Promise<void> {
  const server = createServer(answer);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    await meanwhile(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

/** Answers in place of the service that no agent may take for an approval. */
export const BROKEN: readonly (readonly [string, RequestListener])[] = [
  ['an error', (_request, response) => void response.writeHead(500).end('{}')],
  ['half an answer', (_request, response) => void response.end('{"permissionDecision": "al')],
  ['nothing', (_request, response) => void response.end()],
  ['a page of a proxy', (_request, response) => void response.end('<html>allow</html>')],
  ['a cut connection', (request) => void request.socket.destroy()],
];

/** The tests that every way must pass. `scene` is read when a test runs. */
export function testGate(way: Way, scene: () => Scene): void {
  const run = (command: string) => way.shell(command);
  const reasons = ({ program, results }: AtWork): string =>
    (way.readsReasons === 'terminal' ? program.errors : results).join('\n');
  const failed = way.failsOpen === true ? 'ran' : null;
  const doesWhat = failed === null ? 'does not run' : 'runs';

  it('runs a command after Approve is tapped, and not before', async () => {
    const agent = await scene().start(way, [[run('printf ran > allowed')]]);
    const { id } = await scene().asked('printf ran > allowed');
    expect(agent.wrote('allowed')).toBeNull();
    await scene().tap(id, 'Approve');
    await agent.program.ended;
    expect(agent.wrote('allowed')).toBe('ran');
  });

  it('does not run what was rejected; the model reads the reason', async () => {
    const agent = await scene().start(way, [[run('printf ran > rejected')]]);
    await scene().api.decide(
      (await scene().asked('printf ran > rejected')).id,
      'rejected',
      'not on a Friday',
    );
    await agent.program.ended;
    expect(agent.wrote('rejected')).toBeNull();
    expect(reasons(agent)).toContain('not on a Friday');
  });

  it('does not run what nobody answered in time; the model reads that nobody said no', async () => {
    const waitSeconds = SHORT_WAIT_SECONDS;
    const agent = await scene().start(way, [[run('printf ran > unanswered')]], { waitSeconds });
    await scene().asked('printf ran > unanswered');
    await agent.program.ended;
    expect(agent.wrote('unanswered')).toBeNull();
    expect(reasons(agent)).toMatch(/nobody (has )?(answered|decided).*nobody said no/is);
  });

  it(`${doesWhat} what was asked of a service that is killed`, async () => {
    const waitSeconds = SHORT_WAIT_SECONDS;
    const agent = await scene().start(way, [[run('printf ran > orphaned')]], { waitSeconds });
    await scene().asked('printf ran > orphaned');
    await scene().withoutService(() => agent.program.ended);
    expect(agent.wrote('orphaned')).toBe(failed);
    expect(processesOf(agent.work)).toEqual([]);
  });

  it(`${doesWhat} a command with a wrong key`, async () => {
    const agent = await scene().start(way, [[run('printf ran > stranger')]], { key: 'wrong'.repeat(10) });
    await agent.program.ended;
    expect(agent.wrote('stranger')).toBe(failed);
  });

  it('does not run what was asked with a key that is revoked meanwhile', async () => {
    const { database, service } = scene().stage;
    const key = await issueKey(database, 'agent', `revoked-${Date.now()}`);
    await keyIs(true, service.url, key);
    const agent = await scene().start(way, [[run('printf ran > revoked')]], { key });
    const { requestedBy } = await scene().asked('printf ran > revoked');
    await revokeKey(database, (requestedBy as { key: string }).key);
    await agent.program.ended;
    expect(agent.wrote('revoked')).toBeNull();
  });

  it.each(BROKEN)(`${doesWhat} a command when the service answers with %s`, async (_what, answer) => {
    await withStranger(answer, async (serviceUrl) => {
      const agent = await scene().start(way, [[run('printf ran > broken')]], {
        serviceUrl,
        waitSeconds: SHORT_WAIT_SECONDS,
      });
      await agent.program.ended;
      expect(agent.wrote('broken')).toBe(failed);
    });
  });

  it('keeps calls of one turn apart, also equal ones', async () => {
    const turn = ['printf 1 >> one', 'printf 2 >> two', 'printf 1 >> one'].map(run);
    const agent = await scene().start(way, [turn]);
    // Some agents ask for all calls at once, others for the next one after an answer.
    const verdicts = new Map([
      ['printf 1 >> one', ['approved', 'rejected'] as const],
      ['printf 2 >> two', ['rejected'] as const],
    ]);
    const answered: string[] = [];
    while (answered.length < turn.length) {
      const [id, verdict] = await until(
        'the next request',
        async () => {
          for (const [command, [first, then = first]] of verdicts) {
            const requests = await scene().requestsFor(command);
            const next = requests.find((request) => !answered.includes(request.id));
            const isFirst = requests.every((request) => !answered.includes(request.id));
            if (next) return [next.id, isFirst ? first : then] as const;
          }
          return null;
        },
        ASKS_WITHIN_MS,
      );
      answered.push(id);
      await scene().api.decide(id, verdict);
    }
    await agent.program.ended;
    expect([agent.wrote('one'), agent.wrote('two')]).toEqual(['1', null]);
  });

  it('runs a 20 kB command with invisible characters byte for byte, once somebody approved it', async () => {
    const hostile = `a\u200b\u202eb\u{e0041}${'x'.repeat(20_000)}$(touch injected)`;
    const command = `printf %s '${hostile}' > hostile`;
    const agent = await scene().start(way, [[run(command)]]);
    await scene().tap((await scene().asked(command)).id, 'Approve');
    await agent.program.ended;
    expect([agent.wrote('hostile'), agent.wrote('injected')]).toEqual([hostile, null]);
  });

  it('runs what a rule allows without a tap, reads the words of a rule that denies, and needs one tap for a grant', async () => {
    await scene().applyPolicy(`version: 1
rules:
  - { id: allowed, decision: allow, match: { key: "*", tool: ${way.shellTool}, command: { argv: [touch, by-rule] } } }
  - { id: denied, decision: deny, match: { command: { mentions: [[touch, denied]] } }, say: Touch no such file. }
`);
    const granted = 'cp by-rule granted';
    const agent = await scene().start(way, [
      [run('touch by-rule')],
      [run('touch denied')],
      [run(granted)],
      [run(granted)],
    ]);
    await scene().grant((await scene().asked(granted)).id);
    await agent.program.ended;
    expect([agent.wrote('by-rule'), agent.wrote('denied'), agent.wrote('granted')]).toEqual(['', null, '']);
    expect(reasons(agent)).toContain('Touch no such file.');
    const kinds = (await scene().requestsFor(granted)).map(({ decision }) => decision?.by.kind);
    expect(kinds).toEqual(['grant', 'api']);
  });
}
