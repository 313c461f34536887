import { actionOf, mergeCalls, updateCall } from '../../../src/agent-side/acp/acp-action';
import { actionParts } from '../../../src/cards/action-parts';
import { toolCallSchema, type SentToolCall } from '../../../src/agent-side/acp/permission-request';

const CWD = '/srv/shop';

const call = (more: Partial<SentToolCall>): SentToolCall => ({ toolCallId: 'c', ...more });
const nameOf = (more: Partial<SentToolCall>): string | undefined => actionOf(call(more), CWD)?.toolName;
const diff = (path: string, oldText: string | null = 'a') => ({ type: 'diff', path, oldText, newText: 'b' });

describe('the name of a call', () => {
  it.each<[string, Partial<SentToolCall>, string | undefined]>([
    ['a command', { kind: 'execute', rawInput: { command: 'ls' } }, 'acp_execute'],
    ['a command of a tool that does not execute', { kind: 'other', rawInput: { command: 'ls' } }, 'acp_call'],
    ['a command without a kind', { rawInput: { command: 'ls' } }, 'acp_call'],
    ['a command that is no text', { kind: 'execute', rawInput: { command: ['ls'] } }, 'acp_call'],
    [
      'a command with further content',
      { kind: 'execute', rawInput: { command: 'ls' }, content: [{}] },
      'acp_call',
    ],
    [
      'a command that concerns other places',
      { kind: 'execute', rawInput: { command: 'ls' }, locations: [{ path: '/etc' }] },
      'acp_call',
    ],
    [
      'two directories',
      { kind: 'execute', rawInput: { command: 'ls', cwd: '/', workdir: '/x' } },
      'acp_call',
    ],
    ['an address', { kind: 'fetch', rawInput: { url: 'https://x.example' } }, 'acp_fetch'],
    ['an address of a tool that does not fetch', { rawInput: { url: 'https://x.example' } }, 'acp_call'],
    ['one diff', { content: [diff('a.ts')] }, 'acp_edit'],
    [
      'one diff, its path twice',
      { content: [diff('a.ts')], rawInput: { filepath: `${CWD}/a.ts` } },
      'acp_edit',
    ],
    [
      'one diff and another path',
      { content: [diff('a.ts')], rawInput: { filepath: '/etc/passwd' } },
      'acp_call',
    ],
    [
      'one diff and another place',
      { content: [diff('a.ts')], locations: [{ path: '/etc/passwd' }] },
      'acp_call',
    ],
    [
      'one diff and its place with more than a line',
      { content: [diff('a.ts')], locations: [{ path: 'a.ts', column: 1 }] },
      'acp_call',
    ],
    [
      'a command and a line of its directory',
      { kind: 'execute', rawInput: { command: 'ls' }, locations: [{ path: CWD, line: 3 }] },
      'acp_call',
    ],
    ['one diff and an unknown member', { content: [diff('a.ts')], rawInput: { mode: '0777' } }, 'acp_call'],
    ['one diff and further content', { content: [diff('a.ts'), {}] }, 'acp_call'],
    [
      'one diff with the kind of its change',
      { content: [{ ...diff('a.ts'), _meta: { kind: 'modify' } }] },
      'acp_edit',
    ],
    ['one diff that moves its file', { content: [{ ...diff('a.ts'), moveTo: '/etc/cron.d/x' }] }, 'acp_call'],
    ['one diff with other notes', { content: [{ ...diff('a.ts'), _meta: { mode: '0777' } }] }, 'acp_call'],
    ['two diffs', { content: [diff('a.ts'), diff('b.ts')] }, 'acp_call'],
    [
      'a diff beside a command',
      { kind: 'execute', rawInput: { command: 'ls' }, content: [diff('a')] },
      'acp_call',
    ],
    ['a raw input that is a text', { rawInput: 'ls' }, 'acp_call'],
    ['only a title', { title: 'rm -rf /', kind: 'execute' }, undefined],
    ['only places', { locations: [{ path: '/etc' }] }, undefined],
    ['an empty raw input', { rawInput: {}, content: [{ type: 'content' }] }, undefined],
    ['a diff without a new text', { content: [{ type: 'diff', path: 'a' }] }, undefined],
  ])('%s', (_name, more, expected) => {
    expect(nameOf(more)).toBe(expected);
  });
});

it('a command runs in the directory of its input, relative to that of the session', () => {
  const rawInput = { command: 'ls', workdir: '../other' };
  expect(actionOf(call({ kind: 'execute', rawInput }), CWD)).toEqual({
    toolName: 'acp_execute',
    toolInput: rawInput,
    cwd: '/srv/other',
  });
});

it('a new file has no text before', () => {
  expect(actionOf(call({ content: [diff('a.ts', null)] }), CWD)?.toolInput).toEqual({
    path: 'a.ts',
    newText: 'b',
  });
});

it('the general call keeps everything that was sent, except its words', () => {
  const sent = {
    rawInput: { a: 1 },
    content: [diff('a'), diff('b'), { type: 'x' }],
    locations: [{ path: '/a' }],
  };
  expect(actionOf(call({ title: 'Harmless', kind: 'read', ...sent }), CWD)?.toolInput).toEqual({
    rawInput: { a: 1 },
    diffs: [
      { path: 'a', oldText: 'a', newText: 'b' },
      { path: 'b', oldText: 'a', newText: 'b' },
    ],
    content: [{ type: 'x' }],
    locations: [{ path: '/a' }],
  });
});

describe('a question', () => {
  const announced = call({ kind: 'execute', title: 'A', rawInput: { command: 'ls', cwd: '/x' } });

  it('adds to its announcement', () => {
    expect(mergeCalls(announced, call({ rawInput: { command: 'ls' }, title: 'B' }))).toMatchObject({
      kind: 'execute',
      title: 'B',
      rawInput: { command: 'ls', cwd: '/x' },
    });
  });

  it.each<[string, unknown]>([
    ['a member with another value', { command: 'rm x' }],
    ['a text', 'ls'],
  ])('contradicts its announcement by %s', (_name, rawInput) => {
    expect(mergeCalls(announced, call({ rawInput }))).toBeNull();
  });

  it.each([null, {}, undefined])('without an input (%j) is about the announced one', (rawInput) => {
    expect(mergeCalls(announced, call({ rawInput }))?.rawInput).toEqual(announced.rawInput);
  });
});

describe('the places of a call', () => {
  const at = (locations: unknown[], content: unknown[] = [diff('a.ts')]) => {
    const action = actionOf(call({ content, locations }), CWD);
    const parts = actionParts(action?.toolName ?? '', action?.toolInput ?? {});
    return parts.find(({ label }) => label === 'Places that the agent names')?.shown;
  };

  it('are a part of the edit, and of its card, where they name a line', () => {
    const locations = [{ path: 'a.ts', line: 12 }, { path: `${CWD}/a.ts` }] as never;
    const { toolName, toolInput } = actionOf(call({ content: [diff('a.ts')], locations }), CWD) ?? {};
    expect([toolName, toolInput?.locations]).toEqual(['acp_edit', locations]);
    expect(at(locations)).toBe(`line 12: a.ts\nfile: ${CWD}/a.ts`);
    expect(at([{ path: 'a.ts', line: null }])).toBeUndefined();
  });

  it('are lines of the card of another call, each on its own', () => {
    const { toolInput } = actionOf(
      call({ rawInput: { a: 1 }, locations: [{ path: '/etc/a\nb', line: 3 }, { path: 'c' }] as never }),
      CWD,
    ) ?? { toolInput: {} };
    const shown = actionParts('acp_call', toolInput).find(({ label }) => /^Places/.test(label))?.shown;
    expect(shown?.split('\n')).toEqual(['line 3: /etc/a\\u{a}b', 'file: c']);
  });
});

describe('a diff', () => {
  it('is shown with the members that are not known', () => {
    const moved = { ...diff('a.ts'), moveTo: '/etc/cron.d/x' };
    expect(actionOf(call({ content: [moved] }), CWD)?.toolInput).toEqual({
      diffs: [{ path: 'a.ts', oldText: 'a', newText: 'b', moveTo: '/etc/cron.d/x' }],
    });
    const created = { ...diff('a.ts', null), _meta: { kind: 'add' } };
    expect(actionOf(call({ content: [created] }), CWD)?.toolInput).toEqual({
      path: 'a.ts',
      newText: 'b',
      _meta: { kind: 'add' },
    });
  });

  it('is shown with a member of the name __proto__, and so is a location', () => {
    const moved = JSON.parse(
      '{"type":"diff","path":"a.ts","newText":"b","__proto__":{"moveTo":"/etc"}}',
    ) as object;
    const place = JSON.parse('{"path":"a.ts","__proto__":{"line":7}}') as { path: string };
    const { content, locations } = toolCallSchema.parse(call({ content: [moved], locations: [place] }));
    const shown = JSON.stringify(actionOf(call({ content, locations }), CWD));
    expect(shown).toContain('"__proto__":{"moveTo":"/etc"}');
    expect(shown).toContain('"__proto__":{"line":7}');
  });

  it('of a question contradicts another one of its announcement', () => {
    const announced = call({ content: [diff('a.ts')] });
    const evil = { ...diff('a.ts'), newText: 'EVIL' };
    expect(mergeCalls(announced, call({ content: [evil] }))).toBeNull();
    expect(mergeCalls(announced, call({ content: [diff('a.ts')] }))?.content).toEqual([diff('a.ts')]);
  });

  it('of an announcement stays where its question has other content', () => {
    const text = { type: 'content', content: { type: 'text', text: 'x' } };
    const merged = mergeCalls(call({ content: [diff('a.ts')] }), call({ content: [text] }));
    expect(merged?.content).toEqual([diff('a.ts'), text]);
  });
});

it('a later announcement replaces the input as a whole', () => {
  const first = call({ kind: 'execute', rawInput: { command: 'ls', cwd: '/x' } });
  expect(updateCall(first, call({ rawInput: { command: 'ls' } }))).toMatchObject({
    kind: 'execute',
    rawInput: { command: 'ls' },
  });
});
