import fc from 'fast-check';
import type { JsonObject } from '../../../src/kernel/json';
import { hostileText } from './hostile-text';
import { anApproval } from './approval-samples';
import { renderCard } from './telegram-cards';

const firstLines = (toolName: string, toolInput: JsonObject, cwd: string | null = '/home/dev/shop') =>
  renderCard(anApproval({ toolName, toolInput, cwd })).text.split('\n');
const title = (toolName: string, toolInput: JsonObject, cwd?: string | null) =>
  firstLines(toolName, toolInput, cwd)[0];

describe('the first line of a card', () => {
  it.each<[string, JsonObject, string]>([
    ['Bash', { command: 'npm run migrate' }, '💻 Run in /home/dev/shop: npm run migrate'],
    ['PowerShell', { command: 'Get-Service' }, '💻 Run in /home/dev/shop: Get-Service'],
    [
      'Monitor',
      { command: 'tail -f log' },
      '💻 Watch the output of a command in /home/dev/shop: tail -f log',
    ],
    [
      'Edit',
      { file_path: '/home/dev/shop/config/payments.yaml', old_string: 'a', new_string: 'b' },
      '📝 Edit 1 place in config/payments.yaml',
    ],
    ['Edit', { file_path: '/etc/hosts', old_string: 'a', new_string: 'b' }, '📝 Edit 1 place in /etc/hosts'],
    [
      'Edit',
      { file_path: '/home/dev/shop/../.bashrc', old_string: 'a', new_string: 'b' },
      '📝 Edit 1 place in /home/dev/shop/../.bashrc',
    ],
    [
      'Write',
      { file_path: '/home/dev/shop/src/pay.ts', content: 'a\nb\n' },
      '🆕 Create or overwrite src/pay.ts: 2 lines',
    ],
    [
      'NotebookEdit',
      { notebook_path: '/n', cell_id: 'c', edit_mode: 'insert', new_source: '' },
      '📝 Insert a cell after cell c in /n',
    ],
    ['NotebookEdit', { notebook_path: '/n', edit_mode: 'melt', new_source: '' }, '🔐 Use NotebookEdit'],
    ['WebFetch', { url: 'https://docs.example/a' }, '🌐 Fetch docs.example'],
    ['WebFetch', { url: 'https://аpple.example/' }, '🌐 Fetch xn--pple-43d.example'],
    ['WebFetch', { url: 'not a url' }, '🌐 Fetch not a url'],
    [
      'Agent',
      { prompt: 'p', subagent_type: 'reviewer', description: 'Look' },
      '🤖 Start a subagent reviewer: Look',
    ],
    ['ExitPlanMode', { plan: 'p' }, '🧭 Carry out this plan'],
    ['mcp__github__create_issue', {}, '🔐 Use create_issue of github'],
    ['mcp__a__b__c', {}, '🔐 Use mcp__a__b__c'],
    ['Teleport', {}, '🔐 Use Teleport'],
    [
      'apply_patch',
      { input: '*** Begin Patch\n*** Update File: a.ts\n-x\n+y\n*** End Patch' },
      '📝 Edit a.ts',
    ],
    [
      'apply_patch',
      { input: '*** Begin Patch\n*** Add File: a\n+*** Delete File: no\n*** Delete File: b\n*** End Patch' },
      '📝 Change 2 files: a, b',
    ],
    ['apply_patch', { input: 'echo' }, '🔐 Use apply_patch'],
  ])('of %s %j says what would happen', (toolName, toolInput, expected) => {
    expect(title(toolName, toolInput)).toBe(expected);
  });

  it('says that it leaves something out', () => {
    expect(title('Bash', { command: 'ls\nrm -rf /' })).toBe('💻 Run in /home/dev/shop: ls…');
    expect(title('Bash', { command: '# harmless\n\nrm -rf /' })).toBe('💻 Run in /home/dev/shop: … rm -rf /');
    expect(title('Bash', { command: 'x'.repeat(65) })).toBe(`💻 Run in /home/dev/shop: ${'x'.repeat(63)}…`);
    expect(title('Bash', { command: 'x'.repeat(64) })).toBe(`💻 Run in /home/dev/shop: ${'x'.repeat(64)}`);
    const deep = `/${'directory/'.repeat(9)}file.ts`;
    expect(title('Write', { file_path: deep, content: 'a' })).toBe(
      `🆕 Create or overwrite …${deep.slice(-48)}: 1 line`,
    );
  });

  it('is one short line, whatever the command', () => {
    fc.assert(
      fc.property(hostileText, (command) => {
        const [first = ''] = firstLines('Bash', { command }, null);
        expect(first).toMatch(/^💻 Run: /);
        expect(first.length).toBeLessThanOrEqual('💻 Run: … '.length + 64);
      }),
    );
  });

  it('names every danger below it', () => {
    expect(firstLines('Bash', { command: 'ls', dangerouslyDisableSandbox: 'yes' })[1]).toBe(
      '🚨 Outside the sandbox',
    );
    expect(firstLines('Bash', { command: 'ls', dangerouslyDisableSandbox: false })[1]).toBe('ls');
    expect(firstLines('Agent', { prompt: 'p', mode: 'bypassPermissions' })[1]).toBe(
      '🚨 Without its own permission checks',
    );
  });
});
