import { abbreviate } from './cut-text';
import type { InputFault } from './errors';
import { endOfNumber, numberFault } from './json-numbers';
import type { Steps } from './steps';

/** Maximum number of listed faults: enough for the caller to go on. */
const MAX_FAULTS = 20;
const MAX_NAME_IN_PATH = 40;

const LITERAL = /true|false|null/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const SHORT_ESCAPES = '"\\/bfnrt';
const UNICODE_ESCAPE = /u[0-9a-fA-F]{4}/y;
const SPACES = ' \t\n\r';
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/** An object or array that is open at the current position. */
type Container =
  | { readonly kind: 'object'; readonly names: Set<string>; name: string | null }
  | { readonly kind: 'array'; index: number };

/** Ends the reading: after a syntax error, or too deep, no further fault can be found. */
class Stop extends Error {}

export interface JsonLimits {
  readonly maxDepth: number;
  readonly maxParts: number;
}

export interface JsonFaults {
  readonly errors: readonly InputFault[];
  /** True if the text is not JSON at all. */
  readonly isOtherText: boolean;
}

/** Number of values that are read before other work gets a turn. */
const VALUES_IN_A_TURN = 20_000;

/**
 * Finds every fault of a JSON text under the rules of `parseStrictJson`, each with its path. Linear in the text,
 * without recursion. Follows the grammar of RFC 8259; an empty result means no fault. Yields after every few
 * milliseconds.
 */
export function* jsonFaults(text: string, limits: JsonLimits): Steps<JsonFaults> {
  const reader = new FaultReader(text, limits);
  try {
    yield* reader.readAll();
  } catch (stop) {
    if (!(stop instanceof Stop)) throw stop;
  }
  return { errors: reader.faults, isOtherText: reader.isOtherText };
}

class FaultReader {
  readonly faults: InputFault[] = [];
  isOtherText = false;
  private readonly open: Container[] = [];
  private at = 0;
  private parts = 0;

  constructor(
    private readonly text: string,
    private readonly limits: JsonLimits,
  ) {}

  *readAll(): Steps<void> {
    let values = 0;
    do {
      if (this.readValue()) this.closeContainers();
      values += 1;
      if (values % VALUES_IN_A_TURN === 0) yield;
    } while (this.open.length > 0);
    if (this.at < this.text.length) this.syntaxError('the end');
  }

  /** Reads one value, or only the beginning of a container with content; true if it is complete. */
  private readValue(): boolean {
    this.skipSpace();
    switch (this.text.charAt(this.at)) {
      case '{':
        this.enter({ kind: 'object', names: new Set(), name: null });
        if (this.take('}')) return this.leave();
        this.readName();
        return false;
      case '[':
        this.enter({ kind: 'array', index: 0 });
        return this.take(']') && this.leave();
      case '"':
        this.readString('contains a lone surrogate');
        break;
      default:
        if (!this.skip(LITERAL)) this.readNumber();
    }
    this.skipSpace();
    return true;
  }

  /** Continues after a complete value: with the next one in its container, or out of all containers that end here. */
  private closeContainers(): void {
    for (let inner = this.open.at(-1); inner; inner = this.open.at(-1)) {
      const end = inner.kind === 'object' ? '}' : ']';
      if (this.take(',')) {
        if (inner.kind === 'array') inner.index++;
        else this.readName();
        return;
      }
      if (!this.take(end)) this.syntaxError(`"," or "${end}"`);
      this.leave();
    }
  }

  private enter(container: Container): void {
    this.countPart();
    this.open.push(container);
    if (this.open.length > this.limits.maxDepth) {
      this.open.pop();
      this.report(`is nested deeper than ${this.limits.maxDepth} levels`);
      throw new Stop();
    }
    this.at++;
    this.skipSpace();
  }

  private leave(): true {
    this.open.pop();
    return true;
  }

  private readName(): void {
    const object = this.open.at(-1);
    if (object?.kind !== 'object' || this.text[this.at] !== '"') return this.syntaxError('a name in quotes');
    object.name = null;
    const name = this.readString('has a member whose name contains a lone surrogate');
    object.name = name;
    if (object.names.has(name)) this.report('is given more than once');
    object.names.add(name);
    this.countPart();
    this.skipSpace();
    if (!this.take(':')) this.syntaxError('":"');
  }

  private readString(surrogateMessage: string): string {
    const start = this.at;
    const hasEscapes = this.skipString();
    // The text as a whole is well-formed, so that only an escape can be a lone surrogate.
    const content = hasEscapes
      ? (JSON.parse(this.text.slice(start, this.at)) as string)
      : this.text.slice(start + 1, this.at - 1);
    if (hasEscapes && !content.isWellFormed()) this.report(surrogateMessage);
    return content;
  }

  /** @returns true if the string holds an escape. */
  private skipString(): boolean {
    let hasEscapes = false;
    for (;;) {
      this.at++;
      const character = this.text.charAt(this.at);
      if (character === '"') break;
      if (character === '\\') {
        if (!this.skipEscape()) this.syntaxError('a valid escape');
        hasEscapes = true;
      } else if (!(character >= ' ')) this.syntaxError('a character or the end of the string');
    }
    this.at++;
    return hasEscapes;
  }

  /** Moves to the last character of a valid escape; false if it is not one. */
  private skipEscape(): boolean {
    const next = this.text.charAt(this.at + 1);
    if (next !== '' && SHORT_ESCAPES.includes(next)) {
      this.at++;
      return true;
    }
    UNICODE_ESCAPE.lastIndex = this.at + 1;
    if (!UNICODE_ESCAPE.test(this.text)) return false;
    this.at += 5;
    return true;
  }

  private readNumber(): void {
    const start = this.at;
    if (!this.skip(NUMBER)) this.syntaxError('a value');
    if (endOfNumber(this.text, start) >= 0) return;
    const fault = numberFault(this.text.slice(start, this.at));
    if (fault !== null) this.report(fault);
  }

  private countPart(): void {
    this.parts += 1;
    if (this.parts <= this.limits.maxParts) return;
    this.faults.push({
      path: '',
      message: `holds more than ${this.limits.maxParts} objects, arrays and members; send some of them as a string`,
    });
    throw new Stop();
  }

  private skipSpace(): void {
    while (SPACES.includes(this.text.charAt(this.at)) && this.at < this.text.length) this.at++;
  }

  private skip(token: RegExp): boolean {
    token.lastIndex = this.at;
    const found = token.test(this.text) && token.lastIndex > this.at;
    if (found) this.at = token.lastIndex;
    return found;
  }

  /** Consumes a punctuation mark and the white space after it; false if it is not there. */
  private take(mark: string): boolean {
    const found = this.text[this.at] === mark;
    if (found) {
      this.at++;
      this.skipSpace();
    }
    return found;
  }

  private report(message: string): void {
    this.faults.push({ path: this.path(), message });
    if (this.faults.length === MAX_FAULTS) throw new Stop();
  }

  private syntaxError(expected: string): never {
    let line = 1;
    let lineBegin = 0;
    for (
      let end = this.text.indexOf('\n');
      end !== -1 && end < this.at;
      end = this.text.indexOf('\n', end + 1)
    ) {
      line += 1;
      lineBegin = end + 1;
    }
    const column = this.at - lineBegin + 1;
    const found = this.at < this.text.length ? '' : ', but the text ends';
    this.isOtherText = true;
    this.faults.push({
      path: '',
      message: `is not valid JSON: expected ${expected} at line ${line}, column ${column}${found}`,
    });
    throw new Stop();
  }

  private path(): string {
    return this.open
      .map((container) => (container.kind === 'array' ? `[${container.index}]` : step(container.name)))
      .join('')
      .replace(/^\./, '');
  }
}

function step(name: string | null): string {
  if (name === null) return '';
  const shown = abbreviate(name, MAX_NAME_IN_PATH);
  return IDENTIFIER.test(name) ? `.${shown}` : `[${JSON.stringify(shown)}]`;
}
