import { parse, type Command, type Redirect, type Statement, type Word as ParsedWord } from 'unbash';

/** Longest text that is parsed; a longer one asks. */
export const MAX_PARSED_LENGTH = 16 * 1024;
/** Most simple commands in a text; more than these ask. */
export const MAX_COMMANDS = 100;

/** Reasons why a text is not understood word for word. A fixed list, because they are labels of a metric. */
export const DOUBTS = [
  'empty',
  'too long',
  'too many commands',
  'control or invisible character',
  'character beyond ASCII outside quotes',
  'expansion',
  'command substitution',
  'parenthesis',
  'brace',
  'glob',
  'comment',
  'backslash',
  'exclamation mark',
  'unclosed quote',
  'here-document',
  'other character',
  'syntax',
  'shell keyword',
  'assignment',
  'background',
  'redirect',
  'tilde',
  'equals sign before a word',
  'command word in quotes',
  'change of directory',
] as const;
export type Doubt = (typeof DOUBTS)[number];

export interface OutputRedirect {
  /** The target as written, quotes removed. */
  readonly path: string;
}

/** A command whose words are exactly these, in every shell. */
export interface SimpleCommand {
  readonly words: readonly [string, ...string[]];
  /** Files that it writes, other than /dev/null. */
  readonly outputs: readonly OutputRedirect[];
}

/** One element of a list: the commands of a pipeline, and the operator before it. */
export interface Step {
  readonly operator: '&&' | '||' | null;
  readonly commands: readonly SimpleCommand[];
}

export type ParsedCommand = { readonly text: string } & (
  { readonly doubt: null; readonly statements: readonly (readonly Step[])[] } | { readonly doubt: Doubt }
);

/**
 * Reads a command line of a shell. Never throws, and takes time linear in the length of the text.
 *
 * It understands only text that bash, dash and zsh read alike: words of plain characters and quoted strings, lists, pipelines
 * and redirects. Everything else is a doubt. `unbash` finds the commands; every character of the text must then belong to a
 * word, a redirect or an operator that is known here, so that text that the parser skips or misreads is a doubt, too.
 */
export function parseCommand(text: string): ParsedCommand {
  const doubt = findDoubt(text);
  if (doubt !== null) return { text, doubt };
  try {
    return { text, doubt: null, statements: new Reader(text).read() };
  } catch (error) {
    // The parser is recursive and may exhaust the stack, or fail: doubt asks.
    return { text, doubt: error instanceof DoubtError ? error.doubt : 'syntax' };
  }
}

class DoubtError extends Error {
  constructor(readonly doubt: Doubt) {
    super(doubt);
  }
}

function refuse(doubt: Doubt): never {
  throw new DoubtError(doubt);
}

/** Other, separator and default-ignorable characters, and the blank that is a braille pattern; not space, tab, newline. */
const INVISIBLE = /(?![ \t\n])[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** Characters that mean themselves in every shell; `readWord` limits `~` and `=`. zsh may be set to expand `^`. */
const PLAIN = String.raw`[A-Za-z0-9_.\/,:@%+=~-]+`;
const SINGLE_QUOTED = String.raw`'[^']*'`;
/** A backslash before another character than these stays a backslash; `!` may name the history. */
const DOUBLE_QUOTED = String.raw`"(?:[^"\\$\u0060!]|\\["\\$\u0060]|\\[^"\\$\u0060!\n])*"`;
const PIECE = new RegExp(`${PLAIN}|${SINGLE_QUOTED}|${DOUBLE_QUOTED}`, 'y');
const BETWEEN_WORDS = /[ \t\n;&|<>]+/y;

const BETWEEN_COMMANDS = /[;|\n]|&&|&[ \t]*$/;

const DOUBT_OF_CHARACTER: Record<string, Doubt> = {
  $: 'expansion',
  '`': 'command substitution',
  '(': 'parenthesis',
  ')': 'parenthesis',
  '{': 'brace',
  '}': 'brace',
  '*': 'glob',
  '?': 'glob',
  '[': 'glob',
  ']': 'glob',
  '#': 'comment',
  '\\': 'backslash',
  '!': 'exclamation mark',
  '^': 'glob',
};

/** The first reason to doubt that shows in the characters alone. It keeps all text from the parser that is costly to parse. */
function findDoubt(text: string): Doubt | null {
  if (text.length > MAX_PARSED_LENGTH) return 'too long';
  if (text.trim() === '') return 'empty';
  if (INVISIBLE.test(text)) return 'control or invisible character';
  let commands = 1;
  for (let at = 0; at < text.length;) {
    const word = endOf(PIECE, text, at);
    const end = word ?? endOf(BETWEEN_WORDS, text, at);
    if (end === null) return doubtAt(text, at);
    if (word === null) {
      const between = text.slice(at, end);
      if (between.includes('<<')) return 'here-document';
      if (BETWEEN_COMMANDS.test(between) && end < text.length) commands += 1;
      if (commands > MAX_COMMANDS) return 'too many commands';
    }
    at = end;
  }
  return null;
}

function endOf(pattern: RegExp, text: string, at: number): number | null {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : null;
}

function doubtAt(text: string, at: number): Doubt {
  const character = text[at] ?? '';
  if (character === "'") return 'unclosed quote';
  if (character === '"') return doubtInQuotes(text, at + 1);
  if (character === '$' && text[at + 1] === '(') return 'command substitution';
  if (character > '\u007f') return 'character beyond ASCII outside quotes';
  return DOUBT_OF_CHARACTER[character] ?? 'other character';
}

function doubtInQuotes(text: string, start: number): Doubt {
  for (let at = start; at < text.length; at++) {
    const character = text[at] ?? '';
    if (character === '\\' && text[at + 1] === '\n') return 'backslash';
    if (character === '\\' && text[at + 1] !== '!') at += 1;
    else if ('$`!'.includes(character)) return doubtAt(text, at);
    else if (character === '"') return 'other character';
  }
  return 'unclosed quote';
}

const BEFORE_ALL = /^[ \t\n]*$/;
const AFTER_ALL = /^[ \t]*;?[ \t\n]*$/;
const BETWEEN_STATEMENTS = /^[ \t]*[;\n][ \t\n]*$/;
const BETWEEN_ITEMS = /^[ \t]+$/;
const OPERATORS = {
  '&&': /^[ \t]*&&[ \t\n]*$/,
  '||': /^[ \t]*\|\|[ \t\n]*$/,
  '|': /^[ \t]*\|[ \t\n]*$/,
};
/** `&>` is not among them: dash reads it as a command in the background. */
const OUTPUT = /^[12]?(?:>>?|>\|)[ \t]*$/;
const INPUT = /^0?<[ \t]*$/;
const DESCRIPTOR = /^[12]?>&[12]$/;

/** Reads the tree, and the text between its nodes, from left to right. */
class Reader {
  private at = 0;
  private commands = 0;

  constructor(private readonly text: string) {}

  read(): readonly (readonly Step[])[] {
    const script = parse(this.text);
    if (script.errors?.length) refuse('syntax');
    const statements = script.commands.map((statement, index) => {
      this.expect(index === 0 ? BEFORE_ALL : BETWEEN_STATEMENTS, statement.pos);
      return this.readStatement(statement);
    });
    this.expect(AFTER_ALL, this.text.length);
    return statements;
  }

  /** The text up to the next node, which must be what belongs there. */
  private expect(between: RegExp, end: number): void {
    if (!between.test(this.text.slice(this.at, end))) refuse('syntax');
    this.at = end;
  }

  private readStatement({ command, background }: Statement): Step[] {
    if (background) refuse('background');
    if (command.type !== 'AndOr') return [{ operator: null, commands: this.readPipeline(command) }];
    return command.commands.map((step, index) => {
      if (index === 0) return { operator: null, commands: this.readPipeline(step) };
      const operator = command.operators[index - 1] ?? refuse('syntax');
      this.expect(OPERATORS[operator], step.pos);
      return { operator, commands: this.readPipeline(step) };
    });
  }

  private readPipeline(node: { readonly type: string }): SimpleCommand[] {
    if (!isPipeline(node)) return [this.readCommand(node)];
    if (node.prefixes.length > 0) refuse('shell keyword');
    return node.commands.map((command, index) => {
      if (index > 0) this.expect(OPERATORS['|'], command.pos);
      return this.readCommand(command);
    });
  }

  private readCommand(node: { readonly type: string }): SimpleCommand {
    if (!isCommand(node)) refuse('shell keyword');
    this.commands += 1;
    if (this.commands > MAX_COMMANDS) refuse('too many commands');
    if (node.prefix.some(({ type }) => type === 'Assignment')) refuse('assignment');
    if (node.prefix.length > 0 || node.name === undefined) refuse('redirect');
    const outputs: OutputRedirect[] = [];
    const name = this.readWord(node.name);
    if (name !== node.name.text) refuse('command word in quotes');
    const words: [string, ...string[]] = [name];
    for (const item of node.suffix) {
      this.expect(BETWEEN_ITEMS, item.pos);
      if (item.type === 'Word') words.push(this.readWord(item));
      else if (item.type === 'Redirect') outputs.push(...this.readRedirect(item));
      else refuse(item.type === 'Assignment' ? 'assignment' : 'here-document');
    }
    return { words, outputs };
  }

  private readRedirect({ pos, end, target }: Redirect): OutputRedirect[] {
    if (target === undefined || this.at !== pos) refuse('redirect');
    if (DESCRIPTOR.test(this.text.slice(pos, end))) {
      this.at = end;
      return [];
    }
    const operator = this.text.slice(pos, target.pos);
    this.at = target.pos;
    const path = this.readWord(target);
    if (this.at !== end) refuse('redirect');
    if (path === '/dev/null' && (OUTPUT.test(operator) || INPUT.test(operator))) return [];
    if (!OUTPUT.test(operator)) refuse('redirect');
    return [{ path }];
  }

  /** The value of a word, which the parser and this file must agree on. */
  private readWord({ text, pos, end, value }: ParsedWord): string {
    if (pos !== this.at || text !== this.text.slice(pos, end)) refuse('syntax');
    this.at = end;
    // bash expands a tilde after `=` and `:`, too; zsh expands `=name` to the path of a command, as set also after these.
    if (/(?:^|[=:])~/.test(text)) refuse('tilde');
    if (/(?:^|[=:])=/.test(text)) refuse('equals sign before a word');
    let own = '';
    for (let at = 0; at < text.length;) {
      const next = endOf(PIECE, text, at) ?? refuse('syntax');
      own += unquote(text.slice(at, next));
      at = next;
    }
    if (own !== value) refuse('syntax');
    return own;
  }
}

function unquote(piece: string): string {
  if (piece.startsWith("'")) return piece.slice(1, -1);
  if (piece.startsWith('"')) return piece.slice(1, -1).replaceAll(/\\(["\\$`])/g, '$1');
  return piece;
}

function isPipeline(node: { readonly type: string }): node is import('unbash').Pipeline {
  return node.type === 'Pipeline';
}

function isCommand(node: { readonly type: string }): node is Command {
  return node.type === 'Command';
}
