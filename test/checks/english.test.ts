import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from '../support/processes';

/** The documents that this project writes: docs/spec is given, CHANGELOG.md is history. */
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...['docs', 'docs/adr', 'docs/runbooks'].flatMap((folder) =>
    readdirSync(join(CHECKOUT, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`),
  ),
];

const QUESTION_WORD = /^(?:What|Who|Whoever|Which|Whether|How)\b/;

/** Sentences of paragraphs, list items and table cells: without fences, headings and code. */
function sentencesOf(text: string): string[] {
  return text
    .replace(/^ *```[\s\S]*?^ *```$/gm, '\n')
    .replace(/^#.*$/gm, '\n')
    .replace(/`[^`]*`/g, '`…`')
    .replace(/\|/g, '\n\n')
    .replace(/^ *(?:[-*]|\d+\.) /gm, '\n\n')
    .split(/\n\s*\n|(?<=[.?!:;][*_)"]*)\s+(?=[*_("[]*[A-Z])/)
    .map((sentence) =>
      sentence
        .replace(/\s+/g, ' ')
        .replace(/^[\s*_("[]+/, '')
        .trim(),
    );
}

it.each(documents)('%s opens no sentence with a question word, unless it asks', (path) => {
  const sentences = sentencesOf(readFileSync(join(CHECKOUT, path), 'utf8'));
  expect(sentences.filter((sentence) => QUESTION_WORD.test(sentence) && !sentence.endsWith('?'))).toEqual([]);
});
