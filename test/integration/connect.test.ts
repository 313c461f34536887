import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { startCli, type Said } from '../support/cli';
import { issueKey, keyIs, revokeKey } from '../support/keys';
import { ownService } from '../support/own-service';
import { CHECKOUT, cleanUp, temporaryDirectory } from '../support/processes';
import { AGENT_KEY } from '../support/well-known';

const PROGRAM = join(CHECKOUT, 'dist/src/cli/countersign-agent.js');
const STAND_IN = join(CHECKOUT, 'test/support/hook-agent-stand-in.mjs');

const service = ownService();
afterAll(cleanUp);

interface Result {
  readonly agent: string;
  readonly gate: string | null;
  readonly verdict: string | null;
  readonly files: readonly { readonly path: string; readonly change: string; readonly diff: string | null }[];
}

interface Doctor {
  readonly ok: boolean;
  readonly findings: readonly { readonly check: string; readonly message: string; readonly fix: string }[];
}

/** A machine with a Claude Code that is a stand-in. */
class Machine {
  readonly home = temporaryDirectory('countersign-home-');
  readonly settings = join(this.home, '.claude', 'settings.json');

  constructor({ hasCursor = false } = {}) {
    this.write(join(this.home, 'bin', 'claude'), `#!/bin/sh\nexec node ${STAND_IN} "$@"\n`);
    chmodSync(join(this.home, 'bin', 'claude'), 0o755);
    if (hasCursor) mkdirSync(join(this.home, '.cursor'));
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  read(path = this.settings): string {
    return readFileSync(path, 'utf8');
  }

  async run(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    cwd = this.home,
  ): Promise<Said> {
    const surroundings = {
      HOME: this.home,
      XDG_STATE_HOME: join(this.home, 'state'),
      PATH: `${join(this.home, 'bin')}:${process.env.PATH ?? ''}`,
      COUNTERSIGN_URL: service.app.url,
      ...env,
    };
    const program = startCli(args, surroundings, cwd, PROGRAM);
    const { code } = await program.ended;
    return { code, out: program.output.join('\n'), err: program.errors.join('\n') };
  }

  async connect(...args: string[]): Promise<{ code: number | null; agents: readonly Result[] }> {
    const { code, out } = await this.run(['connect', '--yes', '--json', ...args]);
    return { code, agents: (JSON.parse(out) as { agents: readonly Result[] }).agents };
  }

  async doctor(env: Readonly<Record<string, string>> = {}): Promise<Doctor & { code: number | null }> {
    const { code, out } = await this.run(['doctor', '--agents', '--json'], env);
    return { code, ...(JSON.parse(out) as Doctor) };
  }
}

const connected = async (): Promise<Machine> => {
  const machine = new Machine();
  expect((await machine.connect()).code).toBe(0);
  return machine;
};

const messagesOf = (doctor: Doctor, check: string): string =>
  doctor.findings.flatMap((finding) => (finding.check === check ? finding.message : [])).join('\n');

describe('countersign connect', () => {
  it('writes the settings of each agent here, proves each gate, and takes the canary back', async () => {
    const machine = new Machine({ hasCursor: true });
    const { code, agents } = await machine.connect();
    expect(code).toBe(0);
    expect(agents.map(({ agent, gate }) => [agent, gate])).toEqual([
      ['claude-code', 'fails-closed'],
      ['cursor', 'fails-closed'],
    ]);
    const canaries = (await service.api.list('limit=10')).filter(({ toolInput }) =>
      String(toolInput.command).includes('canary-'),
    );
    expect(canaries.map(({ status, toolName }) => [status, toolName]).toSorted()).toEqual([
      ['cancelled', 'Bash'],
      ['cancelled', 'Shell'],
    ]);
    expect(machine.read()).not.toContain(AGENT_KEY);
  });

  it('shows the exact change and writes nothing with --dry-run, and without a yes', async () => {
    const machine = new Machine();
    machine.write(machine.settings, '{\n  // Mine.\n  "model": "large"\n}\n');
    const before = machine.read();
    const { code, out } = await machine.run(['connect', 'claude-code', '--dry-run']);
    expect([code, machine.read()]).toEqual([0, before]);
    const url = `"url": "${service.app.url}/connectors/claude-code/hook"`;
    expect(out).toMatch(/^ {2}--- .*settings\.json/m);
    expect(out.split('\n').filter((line) => line.startsWith('  +') && line.includes(url))).toHaveLength(5);
    const unasked = await machine.run(['connect', 'claude-code']);
    expect([unasked.code, unasked.err, machine.read()]).toEqual([
      2,
      expect.stringContaining('--yes'),
      before,
    ]);
  });

  it('changes nothing the second time, and restores every byte with --undo', async () => {
    const machine = new Machine({ hasCursor: true });
    const mine = '// Mine.\n{ "model": "large", }\n';
    machine.write(machine.settings, mine);
    await machine.connect();
    expect(machine.read()).toContain('// Mine.');
    const { agents } = await machine.connect();
    expect(agents.flatMap(({ files }) => files.map(({ change }) => change))).toEqual(['none', 'none']);
    expect((await machine.run(['connect', '--undo'])).code).toBe(0);
    expect(machine.read()).toBe(mine);
    expect(existsSync(join(machine.home, '.cursor', 'hooks.json'))).toBe(false);
    expect(existsSync(join(machine.home, 'state', 'countersign'))).toBe(false);
  });

  it('does not undo what was changed since, names the file and exits 1', async () => {
    const machine = await connected();
    machine.write(machine.settings, '{}');
    const { code, out } = await machine.run(['connect', '--undo']);
    expect([code, machine.read()]).toEqual([1, '{}']);
    expect(out).toContain(`✗ ${machine.settings}: it was changed since connect wrote it`);
  });

  it('says that an agent is not gated where its hooks are off, and exits 1', async () => {
    const machine = new Machine();
    machine.write(machine.settings, '{"disableAllHooks": true}');
    const { code, agents } = await machine.connect('claude-code');
    expect([code, agents[0]?.gate]).toEqual([1, 'not-gated']);
    expect(agents[0]?.verdict).toMatch(/disableAllHooks/);
  });

  it('follows no link of a repository out of it', async () => {
    const machine = new Machine();
    const mine = join(machine.home, 'mine', 'settings.json');
    machine.write(mine, '{}');
    const refused = async (link: string, target: string): Promise<void> => {
      const project = temporaryDirectory();
      machine.write(join(project, '.claude', 'commands', 'one.md'), '');
      const path = join(project, link);
      rmSync(path, { recursive: true, force: true });
      symlinkSync(target, path);
      expect(await machine.run(['connect', '--yes', '--project', 'claude-code'], {}, project)).toMatchObject({
        code: 2,
        err: expect.stringContaining(`${path} is a link to ${target}, outside of the project`) as string,
      });
    };
    await refused('.claude', dirname(mine));
    await refused(join('.claude', 'settings.json'), mine);
    expect(machine.read(mine)).toBe('{}');
  });

  it('says with doctor that an earlier time was killed between two files', async () => {
    const machine = new Machine();
    machine.write(machine.settings, '{}');
    const other = join(machine.home, '.cursor', 'hooks.json');
    const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
    machine.write(
      join(machine.home, 'state', 'countersign', 'connect', 'being-written'),
      JSON.stringify({
        version: 1,
        files: [
          { agent: 'claude-code', path: machine.settings, beforeSha256: null, afterSha256: sha256('{}') },
          { agent: 'cursor', path: other, beforeSha256: null, afterSha256: sha256('{}') },
        ],
      }),
    );
    const message = `countersign connect was interrupted: it wrote ${machine.settings}, and not ${other}`;
    expect(messagesOf(await machine.doctor(), 'connect')).toBe(message);
    expect((await machine.run(['connect', '--dry-run', 'claude-code'])).err).toContain(message);
  });

  it('refuses settings that it cannot read, an unknown key, and agents that are not here', async () => {
    const machine = new Machine();
    machine.write(machine.settings, '{');
    expect(await machine.run(['connect', '--yes'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('is not JSON') as string,
    });
    expect(machine.read()).toBe('{');
    expect(await machine.run(['connect', '--yes'], { COUNTERSIGN_KEY: 'wrong'.repeat(10) })).toMatchObject({
      code: 2,
      err: expect.stringContaining('does not know this API key') as string,
    });
    expect(await machine.run(['connect', 'codex'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('Codex is not installed here') as string,
    });
  });
});

describe('countersign doctor --agents', () => {
  it('finds nothing after connect', async () => {
    const { code, ok, findings } = await (await connected()).doctor();
    expect([code, ok, findings]).toEqual([0, true, []]);
  });

  it('names an address that was changed, and that nobody is asked', async () => {
    const machine = await connected();
    const stranger = createServer((_, response) => void response.writeHead(500).end());
    await new Promise<void>((done) => stranger.listen(0, '127.0.0.1', done));
    const other = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
    machine.write(machine.settings, machine.read().replaceAll(service.app.url, other));
    const doctor = await machine.doctor();
    expect([doctor.code, doctor.ok]).toEqual([1, false]);
    const messages = messagesOf(doctor, 'claude-code');
    expect(messages).toContain(`url is "${other}/connectors/claude-code/hook", not "${service.app.url}`);
    expect(messages).toContain('the canary call was not asked for');
    stranger.closeAllConnections();
    await new Promise((done) => stranger.close(done));
  });

  it('names a hook that was taken out, and that the tool ran', async () => {
    const machine = await connected();
    machine.write(machine.settings, '{}');
    const messages = messagesOf(await machine.doctor(), 'claude-code');
    expect(messages).toContain('hooks.PreToolUse has no hook of Countersign');
    expect(messages).toContain('the canary call ran, and nobody was asked');
  });

  it('names a bypass mode that is allowed, although the gate holds', async () => {
    const machine = await connected();
    const settings = JSON.parse(machine.read()) as Record<string, unknown>;
    machine.write(machine.settings, JSON.stringify({ ...settings, permissions: {} }));
    const doctor = await machine.doctor();
    expect([doctor.code, messagesOf(doctor, 'claude-code')]).toEqual([
      1,
      expect.stringContaining('bypass mode is allowed'),
    ]);
  });

  it('names the key of one agent that is refused, and its place', async () => {
    const machine = await connected();
    const settings = JSON.parse(machine.read()) as Record<string, unknown>;
    const key = 'wrong'.repeat(10);
    machine.write(machine.settings, JSON.stringify({ ...settings, env: { COUNTERSIGN_KEY: key } }));
    const message = `its key does not work: env.COUNTERSIGN_KEY in ${machine.settings}`;
    const doctor = await machine.doctor();
    expect([doctor.code, messagesOf(doctor, 'claude-code')]).toEqual([1, expect.stringContaining(message)]);
    expect(JSON.stringify(doctor)).not.toContain(key);
    const both = await machine.doctor({ COUNTERSIGN_KEY: 'other'.repeat(10) });
    expect(messagesOf(both, 'key')).toContain('does not know this API key');
    expect(messagesOf(both, 'claude-code')).toContain(message);
  });

  it('names a settings file that cannot be read, and goes on', async () => {
    const machine = new Machine();
    machine.write(machine.settings, '');
    writeFileSync(machine.settings, Buffer.of(0xff));
    const damaged = await machine.doctor();
    expect([damaged.code, messagesOf(damaged, 'claude-code')]).toEqual([
      1,
      `${machine.settings} is not UTF-8. Mend it, and run again`,
    ]);
    rmSync(machine.settings);
    mkdirSync(machine.settings);
    expect(messagesOf(await machine.doctor(), 'claude-code')).toMatch(
      new RegExp(`^${machine.settings} cannot be read: .*$`),
    );
  });

  it('names a key that was revoked, and a service that is away', async () => {
    const machine = await connected();
    const key = await issueKey(service.database, 'agent', 'revoked-later');
    await keyIs(true, service.app.url, key);
    await revokeKey(service.database, 'revoked-later');
    await keyIs(false, service.app.url, key);
    const revoked = await machine.doctor({ COUNTERSIGN_KEY: key });
    expect([revoked.code, messagesOf(revoked, 'key')]).toEqual([
      1,
      expect.stringContaining('does not know this API key'),
    ]);
    const away = await machine.doctor({ COUNTERSIGN_URL: 'http://127.0.0.1:1' });
    expect([away.code, messagesOf(away, 'key')]).toEqual([1, expect.stringContaining('does not answer')]);
  });
});
