import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootstrapKeys } from '../../../src/access/bootstrap-keys';
import { KeyRing } from '../../../src/access/key-ring';
import type { KeyStore } from '../../../src/access/key-store';
import { parseConfig } from '../../../src/config/environment';
import { ConfigurationError } from '../../../src/config/faults';
import { SystemClock } from '../../../src/kernel/clock';
import { createLog } from '../../../src/logging/log';

const AGENT = 'a'.repeat(32);
const OPERATOR = 'o'.repeat(32);

let dataDir: string;
let lines: string[];
const log = createLog({ level: 'trace', format: 'json' }, { write: (line) => void lines.push(line) });
const keysWith = (env: Record<string, string> = {}, issued = false) =>
  bootstrapKeys(parseConfig({ DATA_DIR: dataDir, ...env }), log, issued);
const file = () => join(dataDir, 'keys.json');

beforeEach(() => {
  lines = [];
  dataDir = join(mkdtempSync(join(tmpdir(), 'countersign-keys-')), 'data dir');
});
afterEach(() => rmSync(join(dataDir, '..'), { recursive: true }));

describe('with no key in the environment, on a loopback host', () => {
  it('a pair is made, kept in a file that only its owner can read, and its path is told, not its content', () => {
    const { agent, operator } = keysWith();
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual({ agent, operator });
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(readdirSync(dataDir)).toEqual(['keys.json']);
    expect(agent?.length).toBeGreaterThanOrEqual(43);
    expect(agent).not.toBe(operator);
    expect(lines.join('')).toContain(file());
    for (const key of [agent, operator]) expect(lines.join('')).not.toContain(key);
  });

  it('the pair is the same after a restart, and another one elsewhere', () => {
    const first = keysWith();
    expect(keysWith()).toEqual(first);
    rmSync(file());
    expect(keysWith()).not.toEqual(first);
  });

  it.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])('%s is such a host', (HOST) => {
    expect(keysWith({ HOST }).agent).not.toBeNull();
  });

  it.each(['', '{', '[]', '{"agent":"short","operator":"short"}', `{"agent":"${AGENT}"}`])(
    'a file that is no key file is named and never overwritten: %j',
    (text) => {
      keysWith();
      writeFileSync(file(), text);
      expect(() => keysWith()).toThrow(ConfigurationError);
      expect(() => keysWith()).toThrow(file());
      expect(readFileSync(file(), 'utf8')).toBe(text);
    },
  );
});

describe('with no key in the environment, on a host that others reach', () => {
  it.each(['0.0.0.0', '::', '192.168.1.1', 'approvals.example.org'])('%s: the start is refused', (HOST) => {
    expect(() => keysWith({ HOST })).toThrow(/AGENT_API_KEY, OPERATOR_API_KEY: required when HOST \(/);
    expect(() => readdirSync(dataDir)).toThrow('ENOENT');
  });
});

describe('with keys in the environment', () => {
  it('they are the keys, and no file is made', () => {
    const env = { HOST: '0.0.0.0', AGENT_API_KEY: AGENT, OPERATOR_API_KEY: OPERATOR };
    expect(keysWith(env)).toEqual({ agent: AGENT, operator: OPERATOR });
    expect(() => readdirSync(dataDir)).toThrow('ENOENT');
  });

  it('one alone leaves the other role without a bootstrap key', () => {
    expect(keysWith({ OPERATOR_API_KEY: OPERATOR })).toEqual({ agent: null, operator: OPERATOR });
  });
});

describe('with keys made by the command line', () => {
  it('no pair is made, and another host than loopback will do', () => {
    const none = { agent: null, operator: null };
    expect(keysWith({}, true)).toEqual(none);
    expect(keysWith({ HOST: '0.0.0.0' }, true)).toEqual(none);
    expect(() => readdirSync(dataDir)).toThrow('ENOENT');
  });

  it('a pair that was made before still counts', () => {
    const pair = keysWith();
    expect(keysWith({}, true)).toEqual(pair);
  });
});

describe('the key ring', () => {
  it('knows a key by its role, and nothing by anything else', async () => {
    const none = { active: () => Promise.resolve([]) } as unknown as KeyStore;
    const config = parseConfig({ DATA_DIR: dataDir, AGENT_API_KEY: AGENT, OPERATOR_API_KEY: OPERATOR });
    const ring = await KeyRing.open(none, new SystemClock(), log, config);
    expect(ring.identify(AGENT)).toMatchObject({ role: 'agent', keyId: 'bootstrap-agent' });
    expect(ring.identify(OPERATOR)).toMatchObject({ role: 'operator', keyId: 'bootstrap-operator' });
    for (const key of ['', 'null', AGENT.slice(1), `${AGENT} `, AGENT.toUpperCase()]) {
      expect(ring.identify(key)).toBeNull();
    }
  });
});
