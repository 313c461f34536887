import { MAX_TEXT, TooLongToMatch } from './glob';

/** Takes the places of a text, in ascending order, at which it may begin, and gives those at which it may end. */
type Part = (text: string, starts: readonly number[]) => readonly number[];

const PART = /\*+|\?|\[[^\]]+\]|\{[^{}]*\}|[^*?[{]+|[^]/gu;

/** True for a text without a character that globs read. */
export const isLiteral = (pattern: string): boolean => !/[*?[{]/.test(pattern);

/** The characters before the first that globs read. */
export const literalBeginning = (pattern: string): string => /^[^*?[{]*/.exec(pattern)?.[0] ?? '';

/**
 * Compiles a glob for names and texts, which have no segments: `*` matches any characters and `?` one, `/` and line ends
 * included. It goes through all ways to match at once, in time linear in the text.
 */
export function compileTextPattern(pattern: string): (text: string) => boolean {
  if (/^\*+$/.test(pattern)) return () => true;
  if (isLiteral(pattern)) return (text) => text === pattern;
  const parts = compileParts(pattern);
  return (text) => {
    if (text.length > MAX_TEXT) throw new TooLongToMatch();
    return run(parts, text, [0]).includes(text.length);
  };
}

function compileParts(pattern: string): readonly Part[] {
  return Array.from(pattern.matchAll(PART), ([part]) => compilePart(part));
}

function run(parts: readonly Part[], text: string, starts: readonly number[]): readonly number[] {
  return parts.reduce((places, part) => (places.length === 0 ? places : part(text, places)), starts);
}

function compilePart(part: string): Part {
  if (part.startsWith('*')) {
    return (text, [first = 0]) => Array.from({ length: text.length - first + 1 }, (_, i) => first + i);
  }
  if (part === '?' || /^\[.+\]$/su.test(part)) {
    const one = new RegExp(part === '?' ? '[^]' : part, 'uy');
    return (text, starts) =>
      starts.flatMap((start) => {
        one.lastIndex = start;
        return one.test(text) ? one.lastIndex : [];
      });
  }
  if (/^\{.*\}$/su.test(part)) {
    const choices = part.slice(1, -1).split(',').map(compileParts);
    return (text, starts) =>
      [...new Set(choices.flatMap((choice) => run(choice, text, starts)))].toSorted((a, b) => a - b);
  }
  return (text, starts) =>
    starts.filter((start) => text.startsWith(part, start)).map((start) => start + part.length);
}
