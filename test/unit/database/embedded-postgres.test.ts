import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installedBinaries } from '../../../src/database/embedded/binaries';
import { lockDirectory } from '../../../src/database/embedded/directory-lock';
import { isRunning, pidSpace, startTimeOf } from '../../../src/database/embedded/processes';
import { parsePidFile } from '../../../src/database/embedded/running-postmaster';
import { mayEnter, userFrom } from '../../../src/database/embedded/unprivileged-user';
import { until } from '../../support/until';

describe('postmaster.pid', () => {
  const lines = [
    '4711',
    '/data/cluster',
    '1795464000',
    '43211',
    '',
    '127.0.0.1',
    '  1234  5',
    'ready   ',
    '',
  ];

  it('gives PID, port and whether the server serves', () => {
    expect(parsePidFile(lines.join('\n'))).toEqual({ pid: 4711, port: 43211, ready: true });
    expect(parsePidFile(lines.join('\n').replace('ready   ', 'starting'))?.ready).toBe(false);
  });

  it.each(['', '4711', '4711\n/data\n1795464000\n', 'x\ny\nz\nw'])(
    'is unknown while it is incomplete: %j',
    (text) => {
      expect(parsePidFile(text)).toBeNull();
    },
  );
});

describe('the user PostgreSQL runs as under root', () => {
  const nobody = 'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin';

  it('is postgres before nobody, and never root by another name', () => {
    expect(userFrom(`root:x:0:0::/root:/bin/sh\n${nobody}\npostgres:x:101:104::/:/bin/sh\n`)).toEqual({
      uid: 101,
      gid: 104,
    });
    expect(userFrom(`postgres:x:0:0::/:/bin/sh\n${nobody}\n`)).toEqual({ uid: 65534, gid: 65534 });
    expect(userFrom('root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n')).toBeNull();
  });

  it('may enter a directory as its owner, its group or others may', () => {
    const user = { uid: 101, gid: 104 };
    expect(mayEnter({ mode: 0o40700, uid: 0, gid: 0 }, user)).toBe(false);
    expect(mayEnter({ mode: 0o40711, uid: 0, gid: 0 }, user)).toBe(true);
    expect(mayEnter({ mode: 0o40710, uid: 0, gid: 104 }, user)).toBe(true);
    expect(mayEnter({ mode: 0o40700, uid: 101, gid: 0 }, user)).toBe(true);
    // The closest class decides, even when a farther one may more.
    expect(mayEnter({ mode: 0o40001, uid: 101, gid: 0 }, user)).toBe(false);
  });
});

describe('the installed binaries', () => {
  it.each([
    ['linux', 's390x'],
    ['freebsd', 'x64'],
    ['win32', 'x64'],
  ])('of %s on %s do not exist, and DATABASE_URL is named', (platform, arch) => {
    expect(() => installedBinaries(platform, arch)).toThrow(/DATABASE_URL/);
  });
});

describe('a running process', () => {
  it('is not a later one with the same number, nor one that ended', () => {
    expect(isRunning(process.pid, startTimeOf(process.pid))).toBe(true);
    expect(isRunning(process.pid, 'another time')).toBe(false);
    const ended = Number(execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }));
    expect(isRunning(ended)).toBe(false);
  });
});

describe('the lock of a directory', () => {
  let directory: string;
  const lockFile = (generation: number): string => join(directory, `service.lock.${generation}`);
  const leave = (holder: object): void => {
    const complete = {
      pid: process.pid,
      startedAt: startTimeOf(process.pid),
      pidSpace: pidSpace(),
      released: false,
      ...holder,
    };
    writeFileSync(lockFile(7), JSON.stringify(complete));
  };

  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'lock-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  it('is refused with path and PID as long as it is held, and had again when it is released', async () => {
    const first = await lockDirectory(directory);
    await expect(lockDirectory(directory)).rejects.toThrow(
      `${directory} is in use by another Countersign service (PID ${process.pid})`,
    );
    await first.release();
    const second = await lockDirectory(directory);
    await second.release();
    expect(readdirSync(directory)).toEqual(['service.lock.2']);
  });

  it('falls to the next when its owner died, or its number went to another process', async () => {
    leave({ startedAt: 'before the last boot' });
    await (await lockDirectory(directory)).release();
    expect(readdirSync(directory)).toEqual(['service.lock.8']);
  });

  it('has one winner among many, a hundred times over', async () => {
    for (let round = 0; round < 100; round++) {
      const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lockDirectory(directory)));
      const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      await winners[0]?.value.release();
    }
  });

  it('of another container is respected while its heart beats', async () => {
    leave({ pid: 1, pidSpace: 'another container' });
    const { mtimeMs: born } = statSync(lockFile(7));
    const heart = setInterval(() => utimesSync(lockFile(7), new Date(), new Date()), 100);
    try {
      await until('the heart beats', () => statSync(lockFile(7)).mtimeMs !== born);
      await expect(lockDirectory(directory)).rejects.toThrow('PID 1');
    } finally {
      clearInterval(heart);
    }
  });

  it('of another container is taken once its heart has stopped', async () => {
    leave({ pid: 1, pidSpace: 'another container' });
    utimesSync(lockFile(7), 0, 0);
    await (await lockDirectory(directory)).release();
    expect(readdirSync(directory)).toEqual(['service.lock.8']);
  });

  it('shows its own heartbeat', async () => {
    const lock = await lockDirectory(directory);
    utimesSync(lockFile(1), 0, 0);
    await until('the lock is touched', () => statSync(lockFile(1)).mtimeMs > 0);
    await lock.release();
  });

  it('sweeps what starts killed in the middle left, long after', async () => {
    const left = join(directory, 'service.lock.new-abandoned');
    writeFileSync(left, '');
    utimesSync(left, 0, 0);
    await (await lockDirectory(directory)).release();
    expect(readdirSync(directory)).toEqual(['service.lock.1']);
  });
});
