import { posix } from 'node:path';
import type { SimpleCommand } from './parse-command';

/** Programs that read everything below the directory in which they run, unless an operand names another. */
const TREE_READERS: ReadonlySet<string> = new Set(['ack', 'ag', 'du', 'fd', 'find', 'rg', 'tree']);
/** Programs of which the first operand is what they look for. */
const SEARCHERS: ReadonlySet<string> = new Set(['ack', 'ag', 'egrep', 'fd', 'fgrep', 'grep', 'rg']);
/** A flag with which programs such as grep and ls go through directories. */
const RECURSIVE = /^-[A-Za-z]*[rR]|^--rec/;
/** Programs whose operands are hosts and URLs. */
const CLIENTS: ReadonlySet<string> = new Set(
  'aria2c curl dig ftp host http https nc ncat nmap nslookup ping rsync scp sftp socat ssh telnet wget xh'.split(
    ' ',
  ),
);

/** The parts of a word that a program may take for a value: `--file=x`, `-fx`, `name:x`, `x,y`, and the word itself. */
export function piecesOf(word: string): string[] {
  const pieces = [word, ...word.split(/[=:,]/)];
  for (const separator of ['=', ':']) {
    const at = word.indexOf(separator);
    if (at >= 0) pieces.push(word.slice(at + 1));
  }
  if (/^-[A-Za-z]./.test(word)) pieces.push(word.slice(2));
  return [...new Set(pieces)].filter((piece) => piece !== '');
}

/**
 * True if the command may read everything below the directory in which it runs. An operand that may be the value of a flag
 * is not certain to name another.
 */
export function readsTree({ words }: SimpleCommand): boolean {
  const reader = words.findIndex((word) => TREE_READERS.has(posix.basename(word)));
  if (reader < 0 && !words.some((word) => RECURSIVE.test(word))) return false;
  const [name = '', ...rest] = words.slice(Math.max(reader, 0));
  const operands = rest.filter((word, i) => {
    const before = rest[i - 1] ?? '';
    return !/^-|^\d+$/.test(word) && (!before.startsWith('-') || RECURSIVE.test(before));
  });
  return operands.length < (SEARCHERS.has(posix.basename(name)) ? 2 : 1);
}

/** True if one of the words names a program whose operands are hosts. */
export function usesNetwork(words: readonly string[]): boolean {
  return words.some((word) => CLIENTS.has(posix.basename(word)));
}
