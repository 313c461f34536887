import fc from 'fast-check';
import type { Approval } from '../../../src/approvals/approval';
import { MAX_CALLS_OF_TURN } from '../../../src/approvals/turns';
import type { Span } from '../../../src/cards/rich-text';
import { renderTurn } from '../../../src/cards/turn-text';
import { anApproval, hostileApproval, settled } from './approval-samples';

const LIMIT = 4096;

const turn = (...approvals: Approval[]) =>
  renderTurn(
    approvals.map((approval, i) => ({ number: i + 1, approval, hasFiles: false })),
    LIMIT,
  );

const run = (command: string, cwd = '/srv/shop') => anApproval({ toolInput: { command }, cwd });

const countFormats = (spans: readonly Span[]): number =>
  spans.reduce(
    (sum, span) =>
      sum + (span.kind === 'fold' ? 1 + countFormats(span.spans) : span.kind === 'words' ? 0 : 1),
    0,
  );

it('shows each call with its number, its effect and its whole action', () => {
  const { text } = turn(run('npm run test && npm run lint'), run('git status\n# nothing else'));
  expect(text).toMatch(/^🧩 2 calls wait together\n1\. /);
  expect(text).toContain('npm run test && npm run lint');
  expect(text).toContain('\n2. ');
  expect(text).toContain('git status\n# nothing else');
});

it('names the directory once, or with each call if they differ', () => {
  expect(turn(run('ls'), run('pwd')).text).toMatch(/\ndeployer · \/srv\/shop\n/);
  const { text } = turn(run('ls', '/srv/a'), run('pwd', '/srv/b'));
  expect(text).toContain('Directory: /srv/a');
  expect(text).toContain('Directory: /srv/b');
});

it('shows an edit as one diff, with its file', () => {
  const edit = anApproval({
    toolName: 'Edit',
    toolInput: { file_path: '/srv/app/a.yaml', old_string: 'mode: test', new_string: 'mode: live' },
  });
  const { text } = turn(edit, run('ls'));
  expect(text).toContain('-mode: test\n+mode: live');
  expect(text).toContain('/srv/app/a.yaml');
});

it('shows dangers outside the fold', () => {
  const danger = anApproval({ toolInput: { command: 'ls', dangerouslyDisableSandbox: true } });
  const { spans } = turn(danger, run('ls'));
  const open = spans.flatMap((span) => (span.kind === 'fold' ? [] : [span.text])).join('');
  expect(open).toContain('🚨');
  expect(open).toContain('Outside the sandbox');
});

it('leaves the longest action to its card, and the next one, until the message fits', () => {
  const [short, long, longer] = ['ls -la', 'x'.repeat(2_500), 'y'.repeat(3_000)] as const;
  const { text } = turn(run(short), run(long), run(longer));
  expect(text.length).toBeLessThanOrEqual(LIMIT);
  expect(text).toContain(long);
  expect(text).not.toContain(longer);
  expect(text).toContain('Complete on its card above');
});

it('names the document of an action that no message holds', () => {
  const large = run('z'.repeat(10_000));
  const { text } = renderTurn(
    [
      { number: 1, approval: large, hasFiles: true },
      { number: 2, approval: run('ls'), hasFiles: false },
    ],
    LIMIT,
  );
  expect(text).toContain('Complete in its document above');
});

it('shows the outcome of each call that has ended', () => {
  const { text } = turn(
    settled(run('ls'), 'approved'),
    settled(run('pwd'), 'rejected'),
    settled(run('id'), 'expired'),
  );
  expect(text).toMatch(/^🧩 3 calls of one turn: nothing waits any more/);
  expect(text).toMatch(/1\. ✅ .*: approved by Alice/);
  expect(text).toMatch(/2\. ❌ .*: rejected by Alice/);
  expect(text).toMatch(/3\. ⌛ .*: expired$/);
});

it('fits one message with all its formats, whatever the calls are', () => {
  fc.assert(
    fc.property(fc.array(hostileApproval, { minLength: 2, maxLength: MAX_CALLS_OF_TURN }), (approvals) => {
      const { text, spans } = turn(...approvals);
      expect(text.length).toBeLessThanOrEqual(LIMIT);
      expect(countFormats(spans)).toBeLessThanOrEqual(100);
      // No text of a caller begins a line of its own like a call of the summary.
      expect(text.match(/^\d+\. /gm)?.length ?? 0).toBeGreaterThanOrEqual(approvals.length);
    }),
    { numRuns: 60 },
  );
});
