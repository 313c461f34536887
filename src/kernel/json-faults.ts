import type { InputFault } from './errors';

/** More than these are not listed: whoever sent that has enough to go on. */
const MAX_FAULTS = 20;
const MAX_NAME_IN_PATH = 40;

const LITERAL = /true|false|null/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
/** A literal that has another digit before its exponent. */
const NOT_ZERO = /^[-0.]*[1-9]/;
const PLAIN_CHARACTERS = /[ !#-[\]-\uffff]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SPACE = /[ \t\n\r]*/y;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/** An object or array that is open at the place being read. */
type Container =
  | { readonly kind: 'object'; readonly names: Set<string>; name: string | null }
  | { readonly kind: 'array'; index: number };

/** Ends the reading: behind a syntax error, or too deep, nothing more can be said. */
class Stop extends Error {}

/**
 * What is wrong with a JSON text under the rules of `parseStrictJson`, each with its path. Linear in the text,
 * no recursion. It follows the grammar of RFC 8259, and an empty answer means that nothing is wrong.
 */
export function jsonFaults(text: string, maxDepth: number): InputFault[] {
  const reader = new FaultReader(text, maxDepth);
  try {
    reader.readAll();
  } catch (stop) {
    if (!(stop instanceof Stop)) throw stop;
  }
  return reader.faults;
}

class FaultReader {
  readonly faults: InputFault[] = [];
  private readonly open: Container[] = [];
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly maxDepth: number,
  ) {}

  readAll(): void {
    do {
      if (this.readValue()) this.closeContainers();
    } while (this.open.length > 0);
    if (this.at < this.text.length) this.syntaxError('the end');
  }

  /** Reads one value, or only the beginning of one that has something in it; true when it is complete. */
  private readValue(): boolean {
    this.skip(SPACE);
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
    this.skip(SPACE);
    return true;
  }

  /** After a complete value: on to the next one in its container, or out of as many as end here. */
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
    this.open.push(container);
    if (this.open.length > this.maxDepth) {
      this.open.pop();
      this.report(`is nested deeper than ${this.maxDepth} levels`);
      throw new Stop();
    }
    this.at++;
    this.skip(SPACE);
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
    this.skip(SPACE);
    if (!this.take(':')) this.syntaxError('":"');
  }

  private readString(surrogateMessage: string): string {
    const start = this.at++;
    do this.skip(PLAIN_CHARACTERS);
    while (this.skip(ESCAPE));
    if (this.text[this.at] !== '"') {
      this.syntaxError(
        this.text[this.at] === '\\' ? 'a valid escape' : 'a character or the end of the string',
      );
    }
    this.at++;
    const content = JSON.parse(this.text.slice(start, this.at)) as string;
    if (!content.isWellFormed()) this.report(surrogateMessage);
    return content;
  }

  private readNumber(): void {
    const start = this.at;
    if (!this.skip(NUMBER)) this.syntaxError('a value');
    const literal = this.text.slice(start, this.at);
    const value = Math.abs(Number(literal));
    if (value === Infinity) this.report('is a number beyond the range of a double');
    else if (value === 0 && NOT_ZERO.test(literal))
      this.report('is a number too small for a double; it would be 0');
    // With an exponent it claims no precision; without one its digits would change silently.
    else if (value > Number.MAX_SAFE_INTEGER && !/[eE]/.test(literal)) {
      this.report('is an integer beyond ±(2^53 − 1); send it as a string');
    }
  }

  private skip(token: RegExp): boolean {
    token.lastIndex = this.at;
    const found = token.test(this.text) && token.lastIndex > this.at;
    if (found) this.at = token.lastIndex;
    return found;
  }

  /** Takes one punctuation mark and the white space behind it, if it is there. */
  private take(mark: string): boolean {
    const found = this.text[this.at] === mark;
    if (found) {
      this.at++;
      this.skip(SPACE);
    }
    return found;
  }

  private report(message: string): void {
    this.faults.push({ path: this.path(), message });
    if (this.faults.length === MAX_FAULTS) throw new Stop();
  }

  private syntaxError(expected: string): never {
    const before = this.text.slice(0, this.at);
    const line = before.split('\n').length;
    const column = this.at - before.lastIndexOf('\n');
    const found = this.at < this.text.length ? '' : ', but the text ends';
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
  const shown = name.length > MAX_NAME_IN_PATH ? `${name.slice(0, MAX_NAME_IN_PATH)}…` : name;
  return IDENTIFIER.test(name) ? `.${shown}` : `[${JSON.stringify(shown)}]`;
}
