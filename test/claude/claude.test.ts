import { join } from 'node:path';
import type { ApprovalJson } from '../support/api';
import { issueKey, keyIs } from '../support/keys';
import { startModelEndpoint, type Block, type ModelEndpoint } from '../support/model-endpoint';
import { freePort, processesOf, Service } from '../support/processes';
import { setStage, strike, type Stage } from '../support/stage';
import { until } from '../support/until';
import { ASKS_WITHIN_MS, RealAgent, WAYS, type Way } from './agents';

const withClaude = process.env.TEST_CLAUDE === undefined ? describe.skip : describe;

jest.setTimeout(600_000);

const bash = (command: string): Block => ({ tool: 'Bash', input: { command } });

withClaude('the real Claude Code', () => {
  let stage: Stage;
  let model: ModelEndpoint;
  let port: string;
  let admin: string;

  beforeAll(async () => {
    port = String(await freePort());
    [stage, model] = await Promise.all([
      setStage({ PORT: port, APPROVAL_SWEEP_INTERVAL_SECONDS: '1' }),
      startModelEndpoint(),
    ]);
    admin = await issueKey(stage.database, 'admin', 'maria', 'maria');
    await keyIs(true, stage.service.url, admin);
  });
  afterAll(async () => {
    await strike();
    await model.close();
  });

  const agentFor = (way: Way, more: object = {}): RealAgent =>
    new RealAgent({ way, serviceUrl: stage.service.url, model, ...more });

  /** The pending request for this command. */
  const asked = (command: string): Promise<ApprovalJson> =>
    until(
      `a request for ${command.slice(0, 60)}`,
      async () => {
        const path = '/api/approvals?status=pending';
        const { body } = await stage.api.call<{ items: ApprovalJson[] }>('operator', 'GET', path);
        return body.items.find(({ toolInput }) => toolInput.command === command);
      },
      ASKS_WITHIN_MS,
    );

  async function tap(id: string, button: 'Approve' | 'Reject'): Promise<void> {
    await stage.chat.press((await stage.chat.card(id)).messageId, button);
  }

  /** Replaces the active policy, as an admin. */
  async function applyPolicy(document: string): Promise<void> {
    const authorization = `Bearer ${admin}`;
    const url = `${stage.service.url}/api/policy`;
    const { version } = (await (await fetch(url, { headers: { authorization } })).json()) as {
      version: string | null;
    };
    const replaces = version === null ? { 'if-none-match': '*' } : { 'if-match': version };
    const headers = { authorization, 'content-type': 'application/yaml', ...replaces };
    const { status } = await fetch(url, { method: 'PUT', headers, body: document });
    expect(status).toBe(200);
  }

  /** Reports are handled a moment after they were answered. */
  const acknowledged = (id: string, outcome: string) =>
    until(outcome, async () => (await stage.api.get(id)).body.acknowledged === outcome);

  const requestsOf = async (toolName: string): Promise<ApprovalJson[]> => {
    const { body } = await stage.api.call<{ items: ApprovalJson[] }>(
      'operator',
      'GET',
      '/api/approvals?limit=200',
    );
    return body.items.filter((request) => request.toolName === toolName);
  };

  describe.each(WAYS)('by %s', (way) => {
    it('runs a command after Approve is tapped, and not before', async () => {
      const agent = agentFor(way);
      const program = agent.start([[bash('printf ran > allowed')]]);
      const { id } = await asked('printf ran > allowed');
      expect(agent.wrote('allowed')).toBeNull();
      await tap(id, 'Approve');
      expect((await program.ended).code).toBe(0);
      expect(agent.wrote('allowed')).toBe('ran');
      await acknowledged(id, { run: 'resumed', hook: 'ran', mcp: 'answered' }[way]);
    });

    it('does not run what was rejected; the model reads the reason', async () => {
      const agent = agentFor(way);
      const program = agent.start([[bash('printf ran > rejected')]]);
      await stage.api.decide((await asked('printf ran > rejected')).id, 'rejected', 'not on a Friday');
      await program.ended;
      expect(agent.wrote('rejected')).toBeNull();
      expect(agent.results.join('\n')).toContain('not on a Friday');
    });

    it('does not run what nobody answered in time; the model reads that nobody said no', async () => {
      const agent = agentFor(way);
      const program = agent.start([[bash('printf ran > unanswered')]]);
      const { id } = await asked('printf ran > unanswered');
      await stage.database.query(`update approvals set expires_at = now() where id = $1`, [id]);
      await program.ended;
      expect(agent.wrote('unanswered')).toBeNull();
      expect(agent.results.join('\n')).toMatch(/nobody (answered|decided).*nobody said no/is);
    });

    it('runs what a rule allows without a tap, reads the words of a rule that denies, and asks for the rest', async () => {
      const [allowed, denied, rest] = [`touch allowed-${way}`, `touch denied-${way}`, `touch asked-${way}`];
      await applyPolicy(`version: 1
rules:
  - { id: allowed, decision: allow, match: { key: "*", tool: Bash, command: { argv: [touch, allowed-${way}] } } }
  - { id: denied, decision: deny, match: { command: { mentions: [[touch, denied-${way}]] } }, say: Touch no such file. }
`);
      const agent = agentFor(way);
      const program = agent.start([[bash(allowed)], [bash(denied)], [bash(rest)]]);
      await stage.api.decide((await asked(rest)).id, 'approved');
      await program.ended;
      const has = (name: string) => agent.wrote(`${name}-${way}`) !== null;
      expect([has('allowed'), has('denied'), has('asked')]).toEqual([true, false, true]);
      expect(agent.results.join('\n')).toContain('Touch no such file.');
      const requests = (await requestsOf('Bash')).filter(({ toolInput }) =>
        String(toolInput.command).endsWith(`-${way}`),
      );
      expect(requests.map(({ decision }) => decision?.by.kind)).toEqual(['api', 'policy', 'policy']);
    });

    it('keeps calls of one turn apart', async () => {
      const agent = agentFor(way);
      const program = agent.start([
        [bash('printf 1 > one'), bash('printf 2 > two'), bash('printf 3 > three')],
      ]);
      await stage.api.decide((await asked('printf 1 > one')).id, 'approved');
      await stage.api.decide((await asked('printf 2 > two')).id, 'rejected');
      await stage.api.decide((await asked('printf 3 > three')).id, 'approved');
      await program.ended;
      expect([agent.wrote('one'), agent.wrote('two'), agent.wrote('three')]).toEqual(['1', null, '3']);
    });

    it('runs a 20 kB command with invisible characters byte for byte, once somebody approved it', async () => {
      const agent = agentFor(way);
      const hostile = `a\u200b\u202eb\u{e0041}${'x'.repeat(20_000)}$(touch injected)`;
      const command = `printf %s '${hostile}' > hostile`;
      const program = agent.start([[bash(command)]]);
      await tap((await asked(command)).id, 'Approve');
      await program.ended;
      expect(agent.wrote('hostile')).toBe(hostile);
      expect(agent.wrote('injected')).toBeNull();
    });

    it('does not run what was asked of a service that is killed, in the default permission mode', async () => {
      const agent = agentFor(way, { timeoutSeconds: 3 });
      const program = agent.start([[bash('printf ran > orphaned')]]);
      await asked('printf ran > orphaned');
      await stage.service.kill();
      await program.ended;
      stage = { ...stage, service: await Service.start({ ...stage.environment, PORT: port }) };
      expect(agent.wrote('orphaned')).toBeNull();
      expect(processesOf(agent.work)).toEqual([]);
    });
  });

  describe('by hook, with a grant', () => {
    it('two taps on a card answer four more calls of the kind; another kind asks, and after Revoke the same', async () => {
      const agent = agentFor('hook');
      const names = ['1', '2', '3', '4', '5'];
      const write = (name: string): Block => ({
        tool: 'Write',
        input: { file_path: join(agent.work, 'notes', name), content: name },
      });
      const pendingWrite = (name: string): Promise<ApprovalJson> =>
        until(
          `a request for ${name}`,
          async () =>
            (await stage.api.list('status=pending')).find(
              ({ toolInput }) => toolInput.file_path === join(agent.work, 'notes', name),
            ),
          ASKS_WITHIN_MS,
        );
      const program = agent.start([
        ...names.map((name) => [write(name)]),
        [bash('mkdir of-another-kind')],
        [write('revoked')],
      ]);
      const { chat } = stage;
      const { messageId } = await chat.card((await pendingWrite('1')).id);
      await chat.press(messageId, 'Allow more');
      const offers = await chat.find('the offers', ({ replyTo }) => replyTo === messageId);
      const [, number = 'none'] = /^(\d)\. Write below .*notes/m.exec(offers.text) ?? [];
      await chat.press(offers.messageId, `${number} · 1 h`);

      const { id } = await asked('mkdir of-another-kind');
      expect(names.map((name) => agent.wrote(join('notes', name)))).toEqual(names);
      const granted = (await requestsOf('Write')).filter(({ decision }) => decision?.by.kind === 'grant');
      expect(granted).toHaveLength(4);
      for (const use of granted) expect(await chat.cardsOf(use.id)).toEqual([]);

      await chat.press(offers.messageId, 'Revoke');
      await tap(id, 'Approve');
      await tap((await pendingWrite('revoked')).id, 'Reject');
      await program.ended;
      expect(agent.wrote(join('notes', 'revoked'))).toBeNull();
    });
  });

  describe('by hook, what becomes of an approval', () => {
    it('is that the tool failed, when Claude Code says so', async () => {
      const program = agentFor('hook').start([[bash('exit 3 # fails')]]);
      const { id } = await asked('exit 3 # fails');
      await stage.api.decide(id, 'approved');
      await program.ended;
      await acknowledged(id, 'failed');
    });

    it('is no more than that it was answered, when a rule of the agent forbids the tool', async () => {
      const agent = agentFor('hook', { deny: ['Bash(printf:*)'] });
      const program = agent.start([[bash('printf ran > forbidden')], [bash('touch permitted')]]);
      const { id } = await asked('printf ran > forbidden');
      await stage.api.decide(id, 'approved');
      const { id: next } = await asked('touch permitted');
      await stage.api.decide(next, 'approved');
      await program.ended;
      await acknowledged(next, 'ran');
      expect(agent.wrote('forbidden')).toBeNull();
      expect((await stage.api.get(id)).body).toMatchObject({ status: 'approved', acknowledged: 'answered' });
    });

    it('is asked for by no tool that only reads, and every edit is reported', async () => {
      const agent = agentFor('hook');
      const file = join(agent.work, 'notes.txt');
      const program = agent.start([
        [{ tool: 'Write', input: { file_path: file, content: 'one' } }],
        [{ tool: 'Read', input: { file_path: file } }],
        [{ tool: 'Edit', input: { file_path: file, old_string: 'one', new_string: 'two' } }],
      ]);
      for (const tool of ['Write', 'Edit']) {
        const request = await until(
          tool,
          async () => (await requestsOf(tool)).find(({ toolInput }) => toolInput.file_path === file),
          ASKS_WITHIN_MS,
        );
        await stage.api.decide(request.id, 'approved');
        await acknowledged(request.id, 'ran');
      }
      await program.ended;
      expect(agent.wrote('notes.txt')).toBe('two');
      expect(await requestsOf('Read')).toEqual([]);
    });
  });

  describe('at a terminal', () => {
    it('a person who answers there first retracts the card', async () => {
      const agent = agentFor('hook');
      agent.startAtTerminal(['PermissionRequest'], [[bash('printf ran > at-terminal')]]);
      const { id } = await asked('printf ran > at-terminal');
      await agent.pressUntil('1', 'the file', () => agent.wrote('at-terminal') !== null);
      await acknowledged(id, 'ran');
      expect((await stage.api.get(id)).body).toMatchObject({
        status: 'cancelled',
        reason: 'answered at the terminal',
      });
      await agent.program?.kill();
    });

    it('a plan that the operators approve is approved, and is not put to the person there', async () => {
      const agent = agentFor('hook', { mode: 'plan' });
      const plan = 'First paint it, then sell it.';
      agent.startAtTerminal(['PermissionRequest'], [[{ tool: 'ExitPlanMode', input: { plan } }]]);
      const { id } = await until(
        'the plan',
        async () => (await requestsOf('ExitPlanMode'))[0],
        ASKS_WITHIN_MS,
      );
      await stage.api.decide(id, 'approved');
      await until('the model goes on', () => agent.results.length > 0, ASKS_WITHIN_MS);
      expect(agent.results.join()).toMatch(/approved (exiting plan mode|your plan)/i);
      await agent.program?.kill();
    });

    it('a question is answered from the card, and not put to the person there', async () => {
      const agent = agentFor('hook');
      const options = ['Red', 'Blue'].map((label) => ({ label, description: `Paint it ${label}` }));
      const questions = [{ question: 'Which colour?', header: 'Colour', multiSelect: false, options }];
      agent.startAtTerminal(
        ['PreToolUse', 'PermissionRequest'],
        [[{ tool: 'AskUserQuestion', input: { questions } }]],
      );
      const { id } = await until(
        'the question',
        async () => (await requestsOf('AskUserQuestion'))[0],
        ASKS_WITHIN_MS,
      );
      const card = await stage.chat.card(id, 3);
      expect(card.text).toContain('Paint it Blue');
      await stage.chat.press(card.messageId, '2 · Blue');
      await until('the model goes on', () => agent.results.length > 0, ASKS_WITHIN_MS);
      expect(agent.results.join()).toContain('"Which colour?"="Blue"');
      expect(await requestsOf('AskUserQuestion')).toHaveLength(1);
      await acknowledged(id, 'ran');
      await agent.program?.kill();
    });

    it('a question that comes by PermissionRequest is put to both, and closes when it is answered there', async () => {
      const agent = agentFor('hook');
      const options = ['Cat', 'Dog'].map((label) => ({ label, description: `Buy a ${label}` }));
      const questions = [{ question: 'Which pet?', header: 'Pet', multiSelect: false, options }];
      agent.startAtTerminal(['PermissionRequest'], [[{ tool: 'AskUserQuestion', input: { questions } }]]);
      const { id } = await until(
        'the question',
        async () =>
          (await requestsOf('AskUserQuestion')).find(({ status, toolInput }) => {
            return status === 'pending' && JSON.stringify(toolInput).includes('Which pet?');
          }),
        ASKS_WITHIN_MS,
      );
      await stage.chat.card(id, 3);
      await agent.pressUntil('1', 'the answer', () => agent.results.length > 0);
      expect(agent.results.join()).toContain('Cat');
      await until('the end', async () => (await stage.api.get(id)).body.status === 'cancelled');
      expect((await stage.api.get(id)).body.reason).toBe('answered at the terminal');
      await agent.program?.kill();
    });
  });

  describe.each(['run', 'mcp'] as const)('a question by %s', (way) => {
    it('is answered with own words and several options, and the model reads them', async () => {
      const agent = agentFor(way);
      const options = ['Apple', 'Pear'].map((label) => ({ label, description: `A ${label}` }));
      const questions = [
        { question: `Which name, ${way}?`, header: 'Name', multiSelect: false, options },
        { question: 'Which fruits?', header: 'Fruits', multiSelect: true, options },
      ];
      const program = agent.start([[{ tool: 'AskUserQuestion', input: { questions } }]]);
      const { id } = await until(
        'the question',
        async () =>
          (await requestsOf('AskUserQuestion')).find(({ toolInput }) =>
            JSON.stringify(toolInput).includes(`Which name, ${way}?`),
          ),
        ASKS_WITHIN_MS,
      );
      await stage.api.answer(id, { [`Which name, ${way}?`]: ['Quince'], 'Which fruits?': ['Apple', 'Pear'] });
      await program.ended;
      expect(agent.results.join()).toMatch(/"="Quince".*"Which fruits\?"="Apple, Pear"/);
    });
  });

  describe.each(['run', 'hook'] as const)('the note of an approval by %s', (way) => {
    it('reaches the model', async () => {
      const agent = agentFor(way);
      const command = `printf noted > noted-${way}`;
      const program = agent.start([[bash(command)]]);
      await stage.api.decide((await asked(command)).id, 'approved', 'only on staging');
      await program.ended;
      expect(agent.wrote(`noted-${way}`)).toBe('noted');
      expect(agent.said.join()).toContain('only on staging');
    });
  });

  describe('by MCP', () => {
    it('what is too large to ask is denied, and the model reads why', async () => {
      const agent = agentFor('mcp');
      const file = join(agent.work, 'large');
      const content = 'x'.repeat(5 * 1024 * 1024);
      await agent.start([[{ tool: 'Write', input: { file_path: file, content } }]]).ended;
      expect(agent.wrote('large')).toBeNull();
      expect(agent.results.join()).toMatch(/Countersign could not ask.*Nobody approved it/);
    });
  });

  describe('by run', () => {
    it('asks for what the user’s own settings and hooks would allow', async () => {
      const agent = agentFor('run');
      agent.allowEverything();
      const program = agent.start([[bash('printf ran > allowed-by-settings')]]);
      await stage.api.decide((await asked('printf ran > allowed-by-settings')).id, 'rejected');
      await program.ended;
      expect(agent.wrote('allowed-by-settings')).toBeNull();
    });
  });

  describe('by hook, in a bypass mode, with the service away', () => {
    const bypass = { args: ['--permission-mode', 'bypassPermissions'], env: { IS_SANDBOX: '1' } };
    const away = { serviceUrl: 'http://127.0.0.1:1' };

    it.each([
      [
        'runs without the guards of the printed settings: this is why they are there',
        ['permissions', 'onFailure'],
        'ran',
      ],
      [
        'does not run with the mode switched off as printed, also where onFailure is not known',
        ['onFailure'],
        null,
      ],
      ['does not run with the settings as printed', [], null],
    ])('the tool %s', async (_what, without, written) => {
      const agent = agentFor('hook', { ...bypass, ...away, without });
      await agent.start([[bash('printf ran > bypassed')]]).ended;
      expect(agent.wrote('bypassed')).toBe(written);
    });
  });
});
