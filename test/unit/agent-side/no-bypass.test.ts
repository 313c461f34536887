import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { claudeArguments } from '../../../src/agent-side/run/control-protocol';

const ROOT = join(__dirname, '..', '..', '..');
// In two parts, or this file would find itself.
const FLAG = ['--dangerously', 'skip-permissions'].join('-');

it('nothing in the tree skips permissions', () => {
  const skipped = ['node_modules', 'dist', 'coverage', '.git', '.data', '.stryker-tmp'].map(
    (name) => `--exclude-dir=${name}`,
  );
  const args = ['-rIlF', ...skipped, '-e', FLAG, '-e', `allow-${FLAG.slice(2)}`, ROOT];
  // It exits 1 when it finds nothing.
  const { status, stdout } = spawnSync('grep', args, { encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
});

it.each([[null], ['a-session']])(
  'Claude Code asks for every tool, in no bypass mode (resuming %s)',
  (session) => {
    const args = claudeArguments(session);
    const after = (flag: string): string => args[args.indexOf(flag) + 1] ?? '';
    expect(after('--permission-mode')).toBe('default');
    expect(JSON.parse(after('--settings'))).toMatchObject({
      permissions: { ask: ['*'], defaultMode: 'default', disableBypassPermissionsMode: 'disable' },
    });
  },
);
