import {
  configurationOf,
  environmentFile,
  isThere,
  readDeployed,
  unknownVariables,
} from '../../support/deployment';

interface Entry {
  readonly section: string;
  readonly name: string;
  readonly value: string;
}

/** Directives of systemd.unit, .service, .exec, .kill and .resource-control that are used here. */
const KNOWN: Readonly<Record<string, RegExp>> = {
  Unit: /^(Description|Documentation|Wants|After)$/,
  Install: /^WantedBy$/,
  Service: new RegExp(
    `^(${[
      'Type|ExecStart|Restart|RestartSec|TimeoutStopSec|TimeoutStartSec|KillMode',
      'DynamicUser|User|WorkingDirectory|Environment|EnvironmentFile|LoadCredential|StateDirectory|StateDirectoryMode',
      'MemoryMax|TasksMax|CapabilityBoundingSet|NoNewPrivileges|Private(Devices|Tmp)|LockPersonality|UMask',
      'Protect(Clock|ControlGroups|Home|Hostname|KernelLogs|KernelModules|KernelTunables|Proc|System)',
      'Restrict(AddressFamilies|Namespaces|Realtime|SUIDSGID)|SystemCall(Architectures|Filter)',
    ].join('|')})$`,
  ),
};

function entriesOf(path: string): Entry[] {
  let section = '';
  return readDeployed(path)
    .split('\n')
    .filter((line) => line !== '' && !/^[#;]/.test(line))
    .flatMap((line) => {
      const [, header] = /^\[(\w+)\]$/.exec(line) ?? [];
      if (header !== undefined) {
        section = header;
        return [];
      }
      const [, name = '', value = ''] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
      return [{ section, name, value }];
    });
}

const UNITS = ['countersign@.service', 'countersign-migrate.service'].map((name) => {
  const entries = entriesOf(`deploy/systemd/${name}`);
  const all = (directive: string) =>
    entries.filter((entry) => entry.name === directive).map(({ value }) => value);
  const environment = Object.fromEntries(
    all('Environment')
      .flatMap((value) => value.split(' '))
      .map((pair) => [
        pair.slice(0, pair.indexOf('=')),
        pair.slice(pair.indexOf('=') + 1).replace('%i', '3001'),
      ]),
  );
  return { name, entries, all, environment };
});

describe.each(UNITS)('deploy/systemd/$name', ({ entries, all, environment }) => {
  it('has only directives that systemd has in that section', () => {
    expect(entries.filter(({ section, name }) => KNOWN[section]?.test(name) !== true)).toEqual([]);
  });

  it('runs a program that the build makes', () => {
    const [, program = ''] = /^\/usr\/bin\/env node (dist\/\S+)/.exec(all('ExecStart')[0] ?? '') ?? [];
    expect(isThere(program.replace(/^dist\//, '').replace(/\.js$/, '.ts'))).toBe(true);
  });

  it('has no root, no privileges and a read-only system', () => {
    expect([
      all('DynamicUser'),
      all('CapabilityBoundingSet'),
      all('NoNewPrivileges'),
      all('ProtectSystem'),
    ]).toEqual([['yes'], [''], ['yes'], ['strict']]);
  });

  it('reads every secret from a credential that it loads', () => {
    const loaded = all('LoadCredential').map((value) => value.split(':')[0]);
    const read = Object.entries(environment).filter(([name]) => name.endsWith('_FILE'));
    expect(read.map(([, path]) => path.replace('%d/', '')).toSorted()).toEqual(loaded.toSorted());
  });

  it('sets only variables that the service knows, to values with which it starts', () => {
    expect(unknownVariables(Object.keys(environment))).toEqual([]);
    const more = all('EnvironmentFile').length > 0 ? environmentFile('deploy/systemd/countersign.env') : {};
    expect(() => configurationOf({ ...more, ...environment })).not.toThrow();
  });
});

describe('deploy/systemd/countersign@.service', () => {
  const [unit] = UNITS;

  it('is given more time to stop than its notice and its drain take', () => {
    const notice = Number(unit?.environment.SHUTDOWN_NOTICE_SECONDS);
    expect(Number(unit?.all('TimeoutStopSec')[0])).toBeGreaterThan(notice + 20);
  });

  it('signs with a key that all replicas share', () => {
    expect(unit?.environment.APPROVAL_SIGNING_KEY_FILE).toBe('%d/approval-signing-key');
  });

  it('has a directory of its own for what it keeps', () => {
    expect(unit?.environment.DATA_DIR).toBe(`/var/lib/${unit?.all('StateDirectory')[0] ?? ''}`);
  });

  it('sets in its environment file only what the service knows', () => {
    expect(unknownVariables(Object.keys(environmentFile('deploy/systemd/countersign.env')))).toEqual([]);
  });
});
