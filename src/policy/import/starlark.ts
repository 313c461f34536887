/** A text, or a list of values. */
export type StarlarkValue = string | readonly StarlarkValue[];

/** A call at the top of a file, `name(member = value, …)`. */
export interface StarlarkCall {
  readonly line: number;
  readonly name: string;
  readonly text: string;
  /** The named arguments; null if the call has anything but texts and lists in them. */
  readonly values: Readonly<Record<string, StarlarkValue>> | null;
}

const TOKEN =
  /\s+|#[^\n]*|(?<name>[A-Za-z_]\w*)|(?<text>"(?:[^"\\\n]|\\["\\])*"|'[^'\\\n]*')|(?<sign>[()[\],=])|(?<other>.)/gy;

interface Token {
  readonly kind: 'name' | 'text' | 'sign' | 'other';
  readonly value: string;
  readonly at: number;
  readonly end: number;
}

/** Reads the calls of a file that has nothing else, as files of Codex rules do. It evaluates nothing. */
export function readCalls(text: string): StarlarkCall[] {
  const tokens = tokensOf(text);
  const calls: StarlarkCall[] = [];
  for (let rest: readonly Token[] = tokens; rest.length > 0;) {
    const call = rest.slice(0, endOfCall(rest));
    rest = rest.slice(call.length);
    const [first, bracket, ...others] = call;
    const last = call.at(-1);
    if (first === undefined || last === undefined) break;
    const isCall = first.kind === 'name' && bracket?.value === '(' && last.value === ')';
    calls.push({
      line: text.slice(0, first.at).split('\n').length,
      name: first.value,
      text: text.slice(first.at, last.end),
      values: isCall ? readArguments(others.slice(0, -1)) : null,
    });
  }
  return calls;
}

function tokensOf(text: string): Token[] {
  return [...text.matchAll(TOKEN)].flatMap(({ 0: value, index, groups = {} }) => {
    const kind = (['name', 'text', 'sign', 'other'] as const).find((name) => groups[name] !== undefined);
    return kind === undefined ? [] : [{ kind, value, at: index, end: index + value.length }];
  });
}

/** The number of tokens up to the bracket that closes the call. */
function endOfCall(tokens: readonly Token[]): number {
  let depth = 0;
  const end = tokens.findIndex(({ value }) => {
    if (value === '(' || value === '[') depth += 1;
    if (value !== ')' && value !== ']') return false;
    depth -= 1;
    return depth <= 0;
  });
  return end === -1 ? tokens.length : end + 1;
}

function readArguments(tokens: readonly Token[]): Record<string, StarlarkValue> | null {
  const values: Record<string, StarlarkValue> = {};
  for (let at = 0; at < tokens.length;) {
    const [name, equals] = [tokens[at], tokens[at + 1]];
    const value = name?.kind === 'name' && equals?.value === '=' ? readValue(tokens, at + 2) : null;
    if (name === undefined || value === null) return null;
    values[name.value] = value.value;
    at = value.next;
    if (at < tokens.length && tokens[at]?.value !== ',') return null;
    at += 1;
  }
  return values;
}

function readValue(tokens: readonly Token[], at: number): { value: StarlarkValue; next: number } | null {
  const token = tokens[at];
  if (token?.kind === 'text') return { value: unquote(token.value), next: at + 1 };
  if (token?.value !== '[') return null;
  const items: StarlarkValue[] = [];
  let next = at + 1;
  while (tokens[next]?.value !== ']') {
    const item = readValue(tokens, next);
    if (item === null) return null;
    items.push(item.value);
    next = item.next;
    if (tokens[next]?.value === ',') next += 1;
    else if (tokens[next]?.value !== ']') return null;
  }
  return { value: items, next: next + 1 };
}

function unquote(text: string): string {
  return text.slice(1, -1).replaceAll(/\\(["\\])/g, '$1');
}
