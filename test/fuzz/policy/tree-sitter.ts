import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Language, Parser, type Node } from 'web-tree-sitter';

const GRAMMAR = join(__dirname, '../../../node_modules/tree-sitter-bash/tree-sitter-bash.wasm');

/** The number of simple commands of a text, and of their words; null if this parser does not understand the text. */
export type CountCommands = (text: string) => { readonly commands: number; readonly words: number } | null;

export async function openTreeSitter(): Promise<CountCommands> {
  await Parser.init();
  const parser = new Parser().setLanguage(await Language.load(readFileSync(GRAMMAR)));
  return (text) => {
    const tree = parser.parse(text);
    if (tree === null) return null;
    try {
      return tree.rootNode.hasError ? null : count(tree.rootNode);
    } finally {
      tree.delete();
    }
  };
}

function count(root: Node): { commands: number; words: number } {
  const commands = root.descendantsOfType('command');
  const words = commands.flatMap(({ namedChildren }) =>
    namedChildren.filter(({ type }) => !type.endsWith('redirect')),
  );
  // Words that follow a redirect of their command are further targets of it in this tree.
  const afterRedirects = root
    .descendantsOfType('file_redirect')
    .flatMap((redirect) => redirect.childrenForFieldName('destination').slice(1));
  return { commands: commands.length, words: words.length + afterRedirects.length };
}
