import fc from 'fast-check';
import { InvalidInput } from '../../../src/kernel/errors';
import { abbreviate, cutText } from '../../../src/kernel/cut-text';
import { parseStrictJson } from '../../../src/kernel/strict-json';
import { actionLine } from '../../../src/cards/action-parts';
import { parseEnvelope } from '../../../src/channels/telegram/bot-api/bot-api-answers';

const anyText = fc.string({ unit: 'binary' });
const EMOJI = '😀'.repeat(400);

it('cuts a text after as many whole characters as fit', () => {
  fc.assert(
    fc.property(anyText, fc.nat(60), (text, length) => {
      const cut = cutText(text, length);
      expect(text.startsWith(cut)).toBe(true);
      expect(cut.isWellFormed()).toBe(true);
      expect(cut.length).toBeLessThanOrEqual(length);
      expect(cut.length).toBeGreaterThanOrEqual(Math.min(length - 1, text.length));
      expect(abbreviate(text, length)).toBe(text.length > length ? `${cut}…` : text);
    }),
  );
});

it('keeps what is no pair as it is', () => {
  expect(cutText('\ud83d\ud83d\ude00', 2)).toBe('\ud83d');
  expect(cutText('\ud83d\ud83d', 1)).toBe('\ud83d');
  expect(cutText('\ude00\ude00', 1)).toBe('\ude00');
});

function pathOf(name: string): string {
  try {
    parseStrictJson(`{${JSON.stringify(name)}:1e999}`);
  } catch (error) {
    if (error instanceof InvalidInput) return error.errors[0]?.path ?? '';
  }
  throw new Error('nothing was refused');
}

it.each<[string, (text: string) => string]>([
  ['the name of a member in a fault', pathOf],
  [
    'a description of the Bot API',
    (text) =>
      JSON.stringify(parseEnvelope(JSON.stringify({ ok: false, error_code: 400, description: text }), 400)),
  ],
  ['the line of an action', (text) => actionLine('Other', { [text]: text }, 120)],
])('cuts %s between two characters', (_what, cut) => {
  for (const text of [EMOJI, `x${EMOJI}`]) {
    expect(cut(text)).toContain('😀');
    expect(cut(text)).not.toMatch(/\\u\{?d83d/i);
    expect(cut(text).isWellFormed()).toBe(true);
  }
});
