import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { until } from '../support/until';

const LOG = join(__dirname, '../../dist/src/logging/log.js');

/** A process that logs to its standard output, as the service does. */
function logging(script: string): { child: ChildProcess; messages: () => string[] } {
  const program = `const log = require(${JSON.stringify(LOG)}).createLog({ level: 'info', format: 'json' }); ${script}`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (part: Buffer) => (text += part.toString()));
  return {
    child,
    messages: () =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => (JSON.parse(line) as { msg: string }).msg),
  };
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, n) => `line ${n}`);
const SAY = (count: number) =>
  `for (let n = 0; n < ${count}; n++) log.event('info', 'said', {}, 'line ' + n);`;

describe('lines on standard output', () => {
  it('come soon although nothing follows them, and the process has not ended', async () => {
    const { child, messages } = logging(`${SAY(1)} process.stdin.resume();`);
    await until('the line is there', () => messages().length > 0);
    expect(child.exitCode).toBeNull();
    child.kill();
    await once(child, 'close');
    expect(messages()).toEqual(['line 0']);
  });

  it.each([3, 5_000])(
    'all %d come, in their order, when the process ends right after them',
    async (count) => {
      const { child, messages } = logging(`${SAY(count)} process.exit(0);`);
      await once(child, 'close');
      expect(messages()).toEqual(numbered(count));
    },
  );

  it('have nowhere to go any more: the process goes on all the same', async () => {
    // Longer than several attempts to write take, each of which fails.
    const { child } = logging(`process.stdin.once('data', () => {
      const saying = setInterval(() => { ${SAY(100)} }, 20);
      setTimeout(() => { clearInterval(saying); process.exit(7); }, 500);
    });`);
    child.stdout?.destroy();
    child.stdin?.write('go on');
    const [code] = (await once(child, 'exit')) as [number | null];
    expect(code).toBe(7);
  });

  it('of another kind come whole between the others, and are known to be written', async () => {
    const { child, messages } = logging(`(async () => {
      for (let n = 0; n < 4; n += 2) {
        log.event('info', 'said', {}, 'line ' + n);
        await log.write(JSON.stringify({ msg: 'line ' + (n + 1), filler: 'x'.repeat(200_000) }) + '\\n');
      }
      process.kill(process.pid, 'SIGKILL');
    })();`);
    await once(child, 'close');
    expect(messages()).toEqual(numbered(4));
  });

  it('of another kind are known not to be written once nobody reads', async () => {
    const { child } = logging(`process.stdin.once('data', async () => {
      let failures = 0;
      for (let n = 0; n < 3; n++) await log.write('{}\\n').catch(() => failures++);
      process.exit(failures);
    });`);
    child.stdout?.destroy();
    child.stdin?.write('go on');
    expect(await once(child, 'exit')).toEqual([3, null]);
  });

  it('all come when the process ends by itself', async () => {
    const { child, messages } = logging(SAY(3));
    await once(child, 'close');
    expect(messages()).toEqual(numbered(3));
  });
});
