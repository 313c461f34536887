import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  Composer,
  CST,
  Lexer,
  LineCounter,
  Parser,
  YAMLParseError,
  type Alias,
  type Document,
  type Node,
} from 'yaml';
import type { JsonValue } from '../../kernel/json';
import type { Fault, Finding } from './finding';

/** A policy of 1 000 rules with cases has a third of this. */
export const MAX_DOCUMENT_CHARACTERS = 1024 * 1024;
/** Maximum number of values, counted where an alias repeats them too. */
const MAX_VALUES = 100_000;
/** Maximum number of aliases, counted where another alias repeats them too. */
const MAX_ALIASES = 100;
const MAX_ANCHORS = 100;
const MAX_DEPTH = 32;
/** Maximum number of words, signs and spaces between them; a policy of 2 000 rules with cases has as many. */
const MAX_TOKENS = 500_000;
/** Maximum number of collections that are open at one place of the text; each level opens two at most. */
const MAX_OPEN = 3 * MAX_DEPTH;

interface Span {
  readonly start: number;
  readonly end: number;
}

/** A part of the document in the text, and the parts in it by name. */
interface Place {
  readonly key: Span | null;
  readonly value: Span;
  readonly parts: Map<string | number, Place>;
}

/** A document that cannot be read at all. */
export class UnreadableDocument extends Error {
  override readonly name = 'UnreadableDocument';

  constructor(readonly findings: readonly Finding[]) {
    super(findings.map(({ line, column, message }) => `${line}:${column}: ${message}`).join('\n'));
  }
}

/** The value of a document, and the place of every part of it in the text. */
export class PolicySource {
  constructor(
    readonly text: string,
    readonly value: JsonValue,
    private readonly root: Place,
    private readonly lines: LineCounter,
  ) {}

  /** Locates a fault; one in a member that is missing is located at the nearest member around it. */
  locate({ severity, path, ofKey, range, message, fix }: Fault): Finding {
    const rule = this.ruleAt(path);
    let place = this.root;
    let depth = 0;
    for (const name of path) {
      const part = place.parts.get(name);
      if (!part) break;
      place = part;
      depth += 1;
    }
    const isWhole = depth === path.length;
    // The name of a block stands for the block, which may have hundreds of lines.
    const span = (ofKey || !isWhole) && place.key ? place.key : place.value;
    const part = range && isWhole && !ofKey ? this.partOf(place.value, path, range) : null;
    return { severity, ...this.lineOf(part ?? span), rule, message, fix };
  }

  private ruleAt([member, index]: readonly (string | number)[]): string | null {
    if (member !== 'rules' || typeof index !== 'number') return null;
    const rules = (this.value as { rules?: unknown }).rules;
    const id = Array.isArray(rules) ? (rules[index] as { id?: unknown } | null)?.id : null;
    return typeof id === 'string' ? id : null;
  }

  /** The place of a part of a text, if the document writes the text in one piece and without escapes. */
  private partOf(span: Span, path: readonly (string | number)[], range: Span): Span | null {
    const text = path.reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], this.value);
    const at = typeof text === 'string' ? this.text.slice(span.start, span.end).indexOf(text) : -1;
    return at < 0 ? null : { start: span.start + at + range.start, end: span.start + at + range.end };
  }

  private lineOf({ start, end }: Span): Pick<Finding, 'line' | 'column' | 'length'> {
    return placeOf(this.text, this.lines, start, end);
  }
}

/**
 * Reads YAML 1.2 or JSON.
 *
 * @throws UnreadableDocument with the place of every fault
 */
export function readSource(text: string): PolicySource {
  if (text.length > MAX_DOCUMENT_CHARACTERS) {
    throw refusal(text, new LineCounter(), 0, 1, {
      message: `The document has ${text.length} characters; at most ${MAX_DOCUMENT_CHARACTERS} are read.`,
      fix: 'Say the same with fewer rules: lists and globs match many values.',
    });
  }
  const control = CONTROL.exec(text);
  if (control) {
    throw refusal(text, linesOf(text), control.index, control.index + 1, {
      message: 'The document has a control character here.',
      fix: 'Remove it; write it as an escape in quotes where a value needs it.',
    });
  }
  const lines = new LineCounter();
  const document = parse(text, lines);
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    throw new UnreadableDocument(
      faults.slice(0, 20).map(({ message, pos, code }) => ({
        severity: 'error',
        ...placeOf(text, lines, pos[0], pos[1]),
        rule: null,
        message: message.endsWith('.') ? message : `${message}.`,
        fix: FIXES[code] ?? 'Correct the YAML here.',
      })),
    );
  }
  return new Reader(text, lines, document).read();
}

const NUL = 'The text has U+0000, which PostgreSQL does not store.';

/** A character that YAML does not allow; PostgreSQL stores no text with NUL. */
const CONTROL = /(?![\t\n\r])\p{Cc}/u;

function linesOf(text: string): LineCounter {
  const lines = new LineCounter();
  for (let at = 0; at >= 0; at = text.indexOf('\n', at) + 1 || -1) lines.addNewLine(at);
  return lines;
}

const FIXES: Readonly<Record<string, string>> = {
  TAG_RESOLVE_FAILED: 'Remove the tag; a policy has plain values only.',
  MULTIPLE_DOCS: 'Keep one document; remove the line "---".',
  NON_STRING_KEY: 'Put the name in quotes.',
  BAD_ALIAS: 'Write the value itself instead of the alias.',
};

/** `parseDocument` of the library, with bounds that hold before anything recursive or costly runs. */
function parse(text: string, lines: LineCounter): Document.Parsed {
  // The reader finds duplicates: the library compares each name with all before it.
  const composer = new Composer({ prettyErrors: false, uniqueKeys: false, stringKeys: true, schema: 'core' });
  const [first, second] = composer.compose(tokensOf(text, lines), true, text.length);
  if (!first) throw new Error('the parser gave no document');
  if (second) {
    const [start, end] = second.range;
    first.errors.push(new YAMLParseError([start, end], 'MULTIPLE_DOCS', 'The source has multiple documents'));
  }
  return first;
}

/**
 * Parses the text in steps.
 *
 * @throws UnreadableDocument once a bound is exceeded: what reads the tokens is recursive, and V8 may end the process,
 * not the call, where its stack overflows
 */
function* tokensOf(text: string, lines: LineCounter): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  const count = { tokens: 0, alias: 0, anchor: 0 };
  lines.addNewLine(0);
  for (const token of new Lexer().lex(text)) {
    const start = parser.offset;
    yield* parser.next(token);
    count.tokens += 1;
    const type = CST.tokenType(token);
    if (type === 'alias' || type === 'anchor') count[type] += 1;
    const tooMany =
      count.tokens > MAX_TOKENS
        ? `has more than ${MAX_TOKENS} words and signs`
        : count.alias > MAX_ALIASES
          ? `uses more than ${MAX_ALIASES} aliases`
          : count.anchor > MAX_ANCHORS
            ? `has more than ${MAX_ANCHORS} anchors`
            : null;
    if (tooMany !== null) {
      throw refusal(text, lines, start, start + token.length, {
        message: `The document ${tooMany}.`,
        fix:
          type === null || count.tokens > MAX_TOKENS
            ? 'Say the same with fewer rules.'
            : 'Write the values themselves.',
      });
    }
    if (parser.stack.length > MAX_OPEN) throw tooDeep(text, lines);
  }
  yield* parser.end();
}

function tooDeep(text: string, lines: LineCounter): UnreadableDocument {
  return refusal(text, lines, 0, 1, {
    message: 'The document nests too deeply to be read.',
    fix: `Nest at most ${MAX_DEPTH} levels.`,
  });
}

/** Turns the tree into plain values. It follows aliases within bounds, so that a few lines cannot become a billion. */
class Reader {
  private values = 0;
  /** The nodes around the present one: an alias to one of them never ends. */
  private readonly around = new Set<Node>();
  private aliases = 0;

  constructor(
    private readonly text: string,
    private readonly lines: LineCounter,
    private readonly document: Document.Parsed,
  ) {}

  read(): PolicySource {
    const { value, place } = this.partOf(this.document.contents, null, 0);
    return new PolicySource(this.text, value, place, this.lines);
  }

  private partOf(node: Node | null, key: Span | null, depth: number): { value: JsonValue; place: Place } {
    const place: Place = { key, value: spanOf(node) ?? key ?? { start: 0, end: 1 }, parts: new Map() };
    return { value: this.valueOf(node, place, depth), place };
  }

  private valueOf(node: Node | null, place: Place, depth: number): JsonValue {
    const { value: span } = place;
    this.values += 1;
    if (this.values > MAX_VALUES) {
      throw this.refuse(span, `The document has more than ${MAX_VALUES} values.`, 'Repeat less by aliases.');
    }
    if (depth > MAX_DEPTH) {
      throw this.refuse(span, `The document nests more than ${MAX_DEPTH} levels.`, 'Nest less.');
    }
    const target = isAlias(node) ? this.targetOf(node, span) : node;
    if (target === null) return null;
    if (this.around.has(target)) {
      throw this.refuse(span, 'The alias contains itself.', 'Write the value itself instead of the alias.');
    }
    if (isScalar(target)) return this.scalarOf(target.value, span);
    this.around.add(target);
    const value = isSeq(target)
      ? target.items.map((item, i) =>
          this.addPart(place, i, item as Node | null, spanOf(item as Node | null), depth),
        )
      : this.objectOf(target, place, depth);
    this.around.delete(target);
    return value;
  }

  private addPart(
    { parts }: Place,
    name: string | number,
    node: Node | null,
    key: Span | null,
    depth: number,
  ): JsonValue {
    const { value, place } = this.partOf(node, key, depth + 1);
    parts.set(name, place);
    return value;
  }

  private targetOf(alias: Alias, span: Span): Node {
    this.aliases += 1;
    if (this.aliases > MAX_ALIASES) {
      throw this.refuse(
        span,
        `The document uses more than ${MAX_ALIASES} aliases.`,
        'Repeat less by aliases.',
      );
    }
    const target = alias.resolve(this.document);
    if (target) return target;
    throw this.refuse(
      span,
      `There is no anchor "${alias.source}".`,
      'Write the value itself instead of the alias.',
    );
  }

  private objectOf(node: Node, place: Place, depth: number): JsonValue {
    const object: Record<string, JsonValue> = {};
    if (!isMap(node)) return object;
    for (const pair of node.items) {
      if (!isPair(pair)) continue;
      const name = isScalar(pair.key) ? String(pair.key.value) : '';
      const key = spanOf(pair.key as Node | null);
      if (name.includes('\0')) throw this.refuse(key ?? place.value, NUL, 'Remove it.');
      if (place.parts.has(name)) {
        throw this.refuse(key ?? place.value, 'Map keys must be unique.', 'Keep one of the two members.');
      }
      const value = this.addPart(place, name, pair.value as Node | null, key, depth);
      // Defined, not assigned: an assignment to "__proto__" would change the object's prototype.
      Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
    }
    return object;
  }

  private scalarOf(value: unknown, span: Span): JsonValue {
    if (typeof value === 'string') {
      if (value.includes('\0')) throw this.refuse(span, NUL, 'Remove it.');
      if (value.isWellFormed()) return value;
      throw this.refuse(span, 'The text has half a surrogate pair.', 'Write the character itself.');
    }
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    if (typeof value === 'boolean' || value === null) return value;
    throw this.refuse(
      span,
      'The value is not one that JSON can carry.',
      'Write a finite number, or text in quotes.',
    );
  }

  private refuse({ start, end }: Span, message: string, fix: string): UnreadableDocument {
    return refusal(this.text, this.lines, start, end, { message, fix });
  }
}

function refusal(
  text: string,
  lines: LineCounter,
  start: number,
  end: number,
  words: { readonly message: string; readonly fix: string },
): UnreadableDocument {
  const place = placeOf(text, lines, start, end);
  return new UnreadableDocument([{ severity: 'error', ...place, rule: null, ...words }]);
}

function placeOf(text: string, lines: LineCounter, start: number, end: number) {
  const { line, col } = lines.linePos(Math.min(start, text.length));
  const lineEnd = text.indexOf('\n', start);
  const last = Math.min(end, lineEnd < 0 ? text.length : lineEnd);
  return { line: Math.max(line, 1), column: Math.max(col, 1), length: Math.max(last - start, 1) };
}

function spanOf(node: Node | null | undefined): Span | null {
  return node?.range ? { start: node.range[0], end: node.range[1] } : null;
}
