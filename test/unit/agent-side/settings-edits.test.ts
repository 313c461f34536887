import { differences, edited, type SettingsFile } from '../../../src/agent-side/connect/settings-edits';

const hookFor = (url: string) => ({ type: 'http', url: `${url}/gate`, timeout: 60 });
const isOurs = ({ url }: { readonly url?: unknown }): boolean =>
  typeof url === 'string' && url.endsWith('/gate');

/** Settings of an agent with grouped hooks, at this address. */
const grouped = (url = 'https://here'): SettingsFile => ({
  path: 'settings.json',
  format: 'json',
  wants: [
    { path: ['permissions', 'mode'], value: 'asks', meaning: 'nobody is asked' },
    { path: ['hooks', 'Before'], hook: hookFor(url), isOurs, matcher: '*' },
  ],
  refuses: [{ path: ['off'], is: (value) => value === true, meaning: 'no hook is called' }],
});

const flat: SettingsFile = {
  path: 'hooks.json',
  format: 'json',
  wants: [{ path: ['hooks', 'before'], hook: hookFor('https://here'), isOurs }],
};

const toml = (url = 'https://here'): SettingsFile => ({
  path: 'config.toml',
  format: 'toml',
  wants: [
    { path: ['servers', 'ours', 'url'], value: url },
    { path: ['hooks', 'state', '/home/me/hooks.json:0:0', 'hash'], value: 'sha256:1' },
  ],
});

const COMMENTED = `// Mine.
{
\t"model": "large", /* the best */
\t"hooks": {
\t\t// Checks the style.
\t\t"Before": [
\t\t\t{ "matcher": "Edit", "hooks": [{ "type": "command", "command": "style" }] },
\t\t],
\t},
}
`;

const linesOf = (text: string): string[] => text.split(/\r?\n/).filter((line) => line.trim() !== '');

describe('an edit of settings', () => {
  it.each([
    ['no file', null],
    ['an empty file', ''],
    ['comments, tabs and trailing commas', COMMENTED],
    ['an empty list', '{"hooks": {"Before": []}}'],
    ['Windows line ends', '{\r\n  "a": 1\r\n}\r\n'],
  ])('adds what is missing to %s, and a second time changes nothing', (_, text) => {
    const result = edited(grouped(), text);
    expect(differences(grouped(), result)).toEqual([]);
    expect(edited(grouped(), result)).toBe(result);
    expect(result.includes('\r\n')).toBe(text?.includes('\r\n') ?? false);
  });

  it('keeps every comment and every line of the user', () => {
    const result = edited(grouped(), COMMENTED);
    for (const mine of ['// Mine.', '/* the best */', '// Checks the style.', '"command": "style"'])
      expect(result).toContain(mine);
  });

  it('mends a hook that asks another address, in its place and without a second one', () => {
    const elsewhere = edited(grouped('http://elsewhere'), COMMENTED);
    const expected = elsewhere.replace('http://elsewhere/gate', 'https://here/gate');
    expect(differences(grouped(), elsewhere)).toEqual([
      'hooks.Before.url is "http://elsewhere/gate", not "https://here/gate"',
    ]);
    expect(JSON.stringify(edited(grouped(), elsewhere)).match(/\/gate/g)).toHaveLength(1);
    expect(linesOf(edited(grouped(), elsewhere))).toEqual(
      expect.arrayContaining(linesOf(expected).slice(0, 3)),
    );
  });

  it('moves a hook out of a group that is for some tools only, and leaves the hooks of others there', () => {
    const other = { type: 'command', command: 'mine' };
    const narrow = { matcher: 'Edit', hooks: [other, hookFor('https://here')] };
    const text = JSON.stringify({ permissions: { mode: 'asks' }, hooks: { Before: [narrow] } });
    expect(differences(grouped(), text)).toEqual(['hooks.Before: the hook is for "Edit" only, not for "*"']);
    expect(JSON.parse(edited(grouped(), text))).toMatchObject({
      hooks: {
        Before: [
          { matcher: 'Edit', hooks: [other] },
          { matcher: '*', hooks: [hookFor('https://here')] },
        ],
      },
    });
  });

  it('names what is missing, otherwise, too much, and what switches the gate off', () => {
    const hook = { ...hookFor('https://here'), timeout: undefined, async: true };
    const text = JSON.stringify({ off: true, hooks: { Before: [{ matcher: '*', hooks: [hook] }] } });
    expect(differences(grouped(), text)).toEqual([
      'permissions.mode is missing: nobody is asked',
      'hooks.Before.timeout is missing',
      'hooks.Before.async is true, which does not belong there',
      'off is true: no hook is called',
    ]);
  });

  it('adds an entry to a plain list', () => {
    const text = '{ "hooks": { "before": [{ "command": "mine" }] } }';
    expect(JSON.parse(edited(flat, text))).toEqual({
      hooks: { before: [{ command: 'mine' }, hookFor('https://here')] },
    });
  });

  it.each([
    ['is not JSON', '{ "a": '],
    ['does not hold an object', '[]'],
  ])('refuses a file that %s, and says so', (why, text) => {
    expect(() => edited(grouped(), text)).toThrow(why);
  });

  it('refuses a member of another kind in its way', () => {
    expect(() => edited(grouped(), '{"hooks": {"Before": "all"}}')).toThrow(/Before|edited safely/);
  });
});

describe('an edit of TOML', () => {
  const MINE = `# Mine.
model = "large"   # the best

[servers.other] # theirs
args = ["a", "b"] # both

[projects."/home/me"]
trust = "yes"
# The end.
`;

  it('adds what is missing, keeps comments and tables, and a second time changes nothing', () => {
    const result = edited(toml(), MINE);
    expect(differences(toml(), result)).toEqual([]);
    expect(edited(toml(), result)).toBe(result);
    for (const line of linesOf(MINE)) expect(linesOf(result)).toContain(line);
  });

  it('begins a file', () => {
    expect(differences(toml(), edited(toml(), null))).toEqual([]);
  });

  it('mends a table of the user in its place', () => {
    const text = `${MINE}\n[servers.ours]\nurl = "http://elsewhere" # which one?\nmore = 1\n`;
    const result = edited(toml(), text);
    expect(differences(toml(), text)).toContain('servers.ours.url is "http://elsewhere", not "https://here"');
    expect(differences(toml(), result)).toEqual([]);
    expect(result).toContain('# which one?');
    expect(result).toContain('more = 1');
  });

  it('refuses a file that is not TOML', () => {
    expect(() => edited(toml(), 'a = = 1')).toThrow('is not TOML');
  });
});
