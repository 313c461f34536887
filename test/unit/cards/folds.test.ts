import fc from 'fast-check';
import type { JsonObject } from '../../../src/kernel/json';
import type { RichText } from '../../../src/cards/rich-text';
import { renderHtml } from '../../../src/channels/telegram/html';
import { formatText } from '../../../src/sandbox/formatted-text';
import { anApproval, settled } from './approval-samples';
import { renderCard, renderOutcome } from './telegram-cards';

const cardOf = (toolName: string, toolInput: JsonObject) => renderCard(anApproval({ toolName, toolInput }));

function piecesOf(message: RichText, type: string): string[] {
  const { text, entities } = formatText(renderHtml(message), 'HTML');
  return entities
    .filter((entity) => entity.type === type)
    .map(({ offset, length }) => text.slice(offset, offset + length));
}

const openPart = (message: RichText): string =>
  piecesOf(message, 'expandable_blockquote').reduce((text, folded) => text.replace(folded, ''), message.text);

const manyLines = (count: number) => Array.from({ length: count }, (_, i) => `line ${i + 1}`).join('\n');

describe('a card', () => {
  it('folds what a reader needs least, and the text is the same as without folds', () => {
    const card = cardOf('Bash', { command: 'ls' });
    expect(piecesOf(card, 'expandable_blockquote')[0]).toMatch(/^Agent \(claimed\): deployer\n[^]*Request: /);
    const withoutFolds = renderHtml(card, { times: true, folds: false });
    expect(withoutFolds).not.toContain('blockquote');
    expect(formatText(withoutFolds, 'HTML').text).toBe(card.text);
  });

  it('ends with the tool, its file and the expiry, in two lines beside the buttons', () => {
    const card = cardOf('Edit', { file_path: '/srv/app/a.ts', old_string: 'x', new_string: 'y' });
    expect(card.text.split('\n').slice(-2)).toEqual([
      'Edit · a.ts',
      '⏳ 12:30 UTC (30 min after the request)',
    ]);
  });

  it('shows the first lines of a long command, and folds the others, every one of them', () => {
    const card = cardOf('Bash', { command: manyLines(60) });
    expect(openPart(card)).toContain('line 14\n');
    expect(openPart(card)).not.toContain('line 15');
    expect(piecesOf(card, 'expandable_blockquote')[0]).toBe(
      `Lines 15 to 60:\n${manyLines(60).split('\n').slice(14).join('\n')}`,
    );
    expect(card.document).toBeNull();
  });

  it('loses no line end at a fold', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('', 'x', 'x'.repeat(700)), { maxLength: 30 }), (lines) => {
        const command = lines.join('\n').replace(/\n{4,}/g, '\n');
        const card = cardOf('Bash', { command });
        fc.pre(card.document === null && command !== '');
        expect(card.text.replace(/\nLines? \d+( to \d+)?:\n/, '\n')).toContain(`\n${command}\n`);
      }),
    );
  });

  it('shows near the changes of a long edit, and folds the whole', () => {
    const before = manyLines(40);
    const card = cardOf('Edit', {
      file_path: '/a',
      old_string: before,
      new_string: before.replace('line 20', 'line XX'),
    });
    const [near, whole] = piecesOf(card, 'pre');
    expect(near).toContain(
      '@@ 16 unchanged lines @@\n line 17\n line 18\n line 19\n-line 20\n+line XX\n line 21',
    );
    expect(whole?.split('\n')).toHaveLength(41);
    expect(card.document).toBeNull();
  });

  it('of a settled request folds the action, too', () => {
    const outcome = renderOutcome(settled(anApproval({ toolInput: { command: manyLines(9) } }), 'approved'));
    expect(openPart(outcome)).not.toContain('line 5');
    expect(openPart(outcome)).toContain('Run in /srv/app: line 1…');
    expect(outcome.text).toContain('line 5');
  });
});

describe('the requests that led to one', () => {
  const earlier = [
    {
      request: { toolName: 'Bash', toolInput: { command: 'npm test' }, cwd: '/srv/app' },
      status: 'approved',
      acknowledged: 'ran',
      rule: 'tests',
    },
    { request: null, status: 'rejected', acknowledged: null, rule: null },
  ] as const;

  it('stand in the folded details, the oldest first, with their outcomes', () => {
    const card = renderCard(anApproval(), { earlier });
    expect(piecesOf(card, 'expandable_blockquote')[0]).toContain(
      '\nWhat led to it:\n❌ a large request: rejected\n✅ 💻 Run in /srv/app: npm test: approved, by rule tests, ran',
    );
  });

  it('are left out sooner than a part of the action', () => {
    const some = 1_000;
    const without = renderCard(anApproval({ toolInput: { command: 'x'.repeat(some) } })).text.length;
    const full = anApproval({ toolInput: { command: 'x'.repeat(4096 - without + some) } });
    const card = renderCard(full, { earlier });
    expect(card.text).toHaveLength(4096);
    expect(card.document).toBeNull();
    expect(card.text).not.toContain('What led to it');
  });
});

describe('the blocks of a card', () => {
  it('have the text of a here-document apart from the commands around it, with the same text as a whole', () => {
    const command = "cat > a <<'EOF'\nnot a command\nEOF\ncat <<< word\nls";
    const card = cardOf('Bash', { command });
    expect(piecesOf(card, 'pre')).toEqual(["cat > a <<'EOF'", 'not a command', 'EOF\ncat <<< word\nls']);
    expect(card.text).toContain(command);
  });

  it('name the language of a file, and of nothing else', () => {
    const html = (path: string) => renderHtml(cardOf('Write', { file_path: path, content: 'a\nb' }));
    expect(html('/x/pay.ts')).toContain('class="language-typescript"');
    expect(html('/x/Dockerfile')).toContain('class="language-docker"');
    expect(html('/x/evil."><b>')).not.toContain('language-');
  });

  it('say once that lines end in CRLF, and only where all of them do', () => {
    const text = (content: string) => cardOf('Write', { file_path: '/a', content }).text;
    expect(text('a\r\nb\r\n')).toContain('Content (2 lines, CRLF line ends):\na\nb\n');
    expect(text('a\r\nb\n')).toContain('a\\u{d}\nb\n');
    expect(text('a\r\nb\r')).toContain('a\\u{d}\nb\\u{d}');
  });

  it('show an edit of line ends as a change', () => {
    const { text } = cardOf('Edit', { file_path: '/a', old_string: 'a\r\nb\r\n', new_string: 'a\nb\n' });
    expect(text).toContain('-a\\u{d}\n-b\\u{d}\n+a\n+b\n');
    const same = cardOf('Edit', { file_path: '/a', old_string: 'a\r\nb\r\n', new_string: 'a\r\nc\r\n' });
    expect(same.text).toContain('@@ CRLF line ends @@\n a\n-b\n+c\n');
  });

  it('have each text of several lines of a tool with JSON, in the order of the members', () => {
    const toolInput = { z: 1, body: 'one\ntwo', a: true, 'Expires: never': 'x\ny' };
    const { text } = cardOf('mcp__x__y', toolInput);
    expect(text).toContain(
      'Input: {"z":1}\n"body" (2 lines):\none\ntwo\nMore input: {"a":true}\n"Expires: never" (2 lines):\nx\ny\n',
    );
  });

  it('are never so many that Telegram drops formats', () => {
    const toolInput = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`m${i}`, 'a\nb']));
    expect(formatText(renderHtml(cardOf('x', toolInput)), 'HTML').entities.length).toBeLessThan(100);
    const edits = Array.from({ length: 50 }, (_, i) => ({ old_string: `a${i}`, new_string: `b${i}` }));
    const card = cardOf('MultiEdit', { file_path: '/a', edits });
    expect(formatText(renderHtml(card), 'HTML').entities.length).toBeLessThan(100);
    expect(card.text).toContain('@@ edit 50 of 50 @@\n-a49\n+b49');
    const command = Array.from({ length: 60 }, (_, i) => `cat <<E${i}\nx\nE${i}`).join('\n');
    expect(formatText(renderHtml(cardOf('Bash', { command })), 'HTML').entities.length).toBeLessThan(100);
  });

  it('name the subagent beside the agent', () => {
    const metadata = { claudeCode: { subagentType: 'code-reviewer' } };
    expect(renderCard(anApproval({ metadata })).text).toContain(
      '\nAgent (claimed): deployer · Subagent: code-reviewer\n',
    );
  });
});
