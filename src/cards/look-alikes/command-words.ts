import type { Steps } from '../../kernel/steps';

/** Position of a word that a shell would run, in UTF-16 units. */
export interface CommandWord {
  readonly start: number;
  readonly end: number;
}

/** Words that precede a command. */
const PREFIXES: ReadonlySet<string> = new Set(
  (
    'sudo doas env xargs parallel nohup nice ionice chroot setsid stdbuf time timeout watch command builtin exec eval ' +
    'trap if then elif else while until do coproc ! { } -exec -execdir -ok -okdir'
  ).split(' '),
);
/** Prefixes whose command may be a quoted text. */
const RUN_THEIR_ARGUMENT: ReadonlySet<string> = new Set(['eval', 'trap', 'watch']);
const SHELLS: ReadonlySet<string> = new Set('sh bash zsh dash ksh ash fish su pwsh powershell'.split(' '));

const LONGEST_KNOWN_WORD = 40;
const ASSIGNMENT = /^[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=/;
const OPTION_WITH_SCRIPT = /^-[A-Za-z]*[cC](?:ommand)?$/;
const NOT_ASCII = /[^\p{ASCII}]/u;
const HEREDOC = /<<(-?)[ \t]*(?:'([^'\n]{1,64})'|"([^"\n]{1,64})"|\\?([^\s'"\\;|&<>()]{1,64}))/y;

/** Deeper nesting than this is treated as flat. */
const MAX_DEPTH = 64;
const UNITS_IN_A_STEP = 4 * 1024;

/** A part of the text that a shell would read as separate commands, and the state to restore after it. */
interface Inner {
  readonly closer: string;
  readonly quoteAround: string;
  readonly commandFollows: boolean;
}

/**
 * Finds the command names with a character beyond ASCII: at the beginning of a line; after `|`, `&`, `;`, `(`, `$(` and
 * a backtick; after `sudo` and similar words; and in the script of `sh -c`. It makes a single pass that handles quotes,
 * comments and here-documents. In doubt it takes a word for a command.
 */
export function* commandWords(text: string): Steps<CommandWord[]> {
  if (!NOT_ASCII.test(text)) return [];
  const reader = new CommandReader(text);
  while (reader.goOn(UNITS_IN_A_STEP)) yield;
  return reader.found;
}

class CommandReader {
  readonly found: CommandWord[] = [];
  private at = 0;
  private readonly inside: Inner[] = [];
  /** The open quote: in it only a substitution is a command. */
  private quote = '';
  private wordStart = -1;
  private isCommand = false;
  /** The number of next words that may be commands. */
  private expected = 1;
  private afterPrefix = false;
  private afterShell = false;
  private afterRedirection = false;
  private scriptFollows = false;
  private inComment = false;
  private heredoc: { readonly end: string; readonly tabs: boolean } | null = null;
  private heredocsEnd = true;
  private shellOnLine = false;

  constructor(private readonly text: string) {}

  /** @returns true if there is more to read. */
  goOn(units: number): boolean {
    const until = Math.min(this.text.length, this.at + units);
    while (this.at < until) {
      const character = this.text.charAt(this.at);
      if (this.inComment && character !== '\n') this.at++;
      else if (this.quote === '') this.readPlain(character);
      else this.readQuoted(character);
    }
    if (this.at < this.text.length) return true;
    this.endWord();
    return false;
  }

  private readQuoted(character: string): void {
    if (character === this.quote.at(-1)) {
      this.quote = '';
      this.at++;
    } else if (character === '\\' && this.quote !== "'") this.at += 2;
    else if (this.quote === '"' && (character === '`' || this.text.startsWith('$(', this.at))) {
      this.enter(character === '`' ? '`' : ')', false);
      this.at += character === '`' ? 1 : 2;
    } else this.at++;
  }

  private readPlain(character: string): void {
    switch (character) {
      case ' ':
      case '\t':
      case '\r':
        this.endWord();
        break;
      case '\n':
        this.endLine();
        return;
      case ';':
      case '|':
        this.beginCommand();
        break;
      case '&':
        if (!'<>'.includes(this.text.charAt(this.at - 1) || ' ')) this.beginCommand();
        break;
      case '<':
      case '>':
        this.redirect();
        return;
      case '(':
        this.enter(')', !'$<>'.includes(this.text.charAt(this.at - 1) || ' '));
        break;
      case ')':
        if (!this.leave(')')) this.beginCommand();
        break;
      case '`':
        if (!this.leave('`')) this.enter('`', false);
        break;
      case '"':
      case "'":
        this.readQuote(character);
        break;
      case '#':
        if (this.wordStart === -1) this.inComment = true;
        break;
      case '\\':
        if (this.text.charAt(this.at + 1) !== '\n') this.beginWord();
        this.at += 2;
        return;
      default:
        this.beginWord();
    }
    this.at++;
  }

  private readQuote(character: string): void {
    if (this.leave(character)) return;
    if (this.scriptFollows && this.wordStart === -1) {
      this.enter(character, false);
      return;
    }
    const isAnsi = character === "'" && this.text.charAt(this.at - 1) === '$';
    this.beginWord();
    this.quote = isAnsi ? "$'" : character;
  }

  private beginWord(): void {
    if (this.wordStart !== -1) return;
    this.wordStart = this.at;
    this.isCommand = this.expected > 0 && !this.afterRedirection;
    this.scriptFollows = false;
  }

  private endWord(): void {
    if (this.wordStart === -1) return;
    const start = this.wordStart;
    const end = Math.min(this.at, this.text.length);
    this.wordStart = -1;
    const word = this.text.slice(start, Math.min(end, start + LONGEST_KNOWN_WORD)).replace(/["'\\]/g, '');
    if (this.afterRedirection) {
      this.afterRedirection = false;
      return;
    }
    if (this.afterShell && OPTION_WITH_SCRIPT.test(word)) this.expect(1, true);
    else if (PREFIXES.has(word) && (this.isCommand || word === '{' || word.startsWith('-'))) {
      this.afterPrefix = true;
      this.expect(1, RUN_THEIR_ARGUMENT.has(word));
    } else if (this.isCommand) this.readCommand(word, start, end);
  }

  private readCommand(word: string, start: number, end: number): void {
    if (ASSIGNMENT.test(word)) return;
    if (NOT_ASCII.test(this.text.slice(start, end))) this.found.push({ start, end });
    // An option may take the next word as its value.
    if (this.afterPrefix && word.startsWith('-')) {
      this.expect(2, false);
      return;
    }
    if (this.afterPrefix && /^\d/.test(word)) return;
    this.expected -= 1;
    if (SHELLS.has(word.slice(word.lastIndexOf('/') + 1))) {
      this.afterShell = true;
      this.shellOnLine = true;
    }
  }

  private expect(words: number, script: boolean): void {
    this.expected = words;
    this.scriptFollows = script;
  }

  private beginCommand(): void {
    this.endWord();
    this.expect(1, false);
    this.afterPrefix = false;
    this.afterShell = false;
    this.afterRedirection = false;
  }

  private enter(closer: string, commandFollows: boolean): void {
    const quoteAround = this.quote;
    this.quote = '';
    this.beginCommand();
    if (this.inside.length < MAX_DEPTH) this.inside.push({ closer, quoteAround, commandFollows });
  }

  private leave(closer: string): boolean {
    const index = this.inside.findLastIndex((each) => each.closer === closer);
    const inner = this.inside[index];
    if (!inner) return false;
    this.beginCommand();
    this.inside.length = index;
    this.quote = inner.quoteAround;
    if (!inner.commandFollows) this.expect(0, false);
    return true;
  }

  private redirect(): void {
    // A word directly before a redirection is a file descriptor.
    this.endWord();
    HEREDOC.lastIndex = this.at;
    const heredoc = this.text.startsWith('<<<', this.at) ? null : HEREDOC.exec(this.text);
    if (heredoc) {
      const [whole, tabs, single, double, plain] = heredoc;
      this.heredoc ??= { end: single ?? double ?? plain ?? '', tabs: tabs === '-' };
      this.at += whole.length;
      return;
    }
    this.at += this.text.startsWith('<<<', this.at) ? 3 : 1;
    this.afterRedirection = this.text.charAt(this.at) !== '(';
  }

  private endLine(): void {
    this.inComment = false;
    this.beginCommand();
    this.at++;
    // Do not skip the here-document of a shell: the shell would run its text.
    if (this.heredoc !== null && !this.shellOnLine)
      this.at = this.endOfHeredoc(this.heredoc.end, this.heredoc.tabs);
    this.heredoc = null;
    this.shellOnLine = false;
  }

  /** Position after a here-document; the current position if it has no end. */
  private endOfHeredoc(end: string, tabs: boolean): number {
    const { text, at } = this;
    let from = at;
    while (this.heredocsEnd) {
      const found = text.indexOf(end, from);
      if (found === -1) break;
      from = found + end.length;
      let lineStart = found;
      while (tabs && text.charAt(lineStart - 1) === '\t') lineStart--;
      const next = text.charAt(from);
      if (text.charAt(lineStart - 1) === '\n' && (next === '' || next === '\n')) return from;
    }
    // Search to the end of the text only once: repeated searches would take quadratic time.
    this.heredocsEnd = false;
    return at;
  }
}
