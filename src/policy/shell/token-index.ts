/** Longest token that is kept; the schema allows no longer one in a rule. */
const MAX_TOKEN_LENGTH = 1_000;

export interface FoundTokens {
  /** As the rule writes them. */
  readonly tokens: readonly string[];
  /** The tokens of the part after the last of them. */
  readonly after: () => readonly string[];
}

/**
 * Indexes the tokens of each part of a command, in time linear in its length. A token is text between blanks, and also each
 * piece of it: `/usr/bin/kubectl` is also `kubectl`, `--name=kubectl` is also `--name` and `kubectl`.
 */
export function indexTokens(parts: readonly (readonly string[])[]): TokenIndex {
  const all = new Set<string>();
  return new TokenIndex(
    parts.map((texts) => {
      const part: Part = { tokens: [], places: new Map() };
      const add = (token: string): void => {
        if (token.length > MAX_TOKEN_LENGTH) return;
        const folded = fold(token);
        all.add(folded);
        const places = part.places.get(folded);
        if (places === undefined) part.places.set(folded, [part.tokens.length]);
        else places.push(part.tokens.length);
        part.tokens.push(token);
      };
      for (const text of texts) cutTokens(text, add);
      return part;
    }),
    all,
  );
}

interface Part {
  readonly tokens: string[];
  /** For each token, its places in ascending order. */
  readonly places: Map<string, number[]>;
}

export class TokenIndex {
  constructor(
    private readonly parts: readonly Part[],
    private readonly all: ReadonlySet<string>,
  ) {}

  /** One of the tokens for each place of a sequence, in this order in one part. */
  find(sequence: readonly (readonly string[])[]): FoundTokens | null {
    // Of most rules no token is there at all.
    if (!sequence.every((choice) => choice.some((token) => this.all.has(fold(token))))) return null;
    for (const part of this.parts) {
      const tokens: string[] = [];
      let last = -1;
      for (const choice of sequence) {
        const nearest = nearestAfter(part, choice, last);
        if (nearest === null) break;
        tokens.push(nearest.token);
        last = nearest.place;
      }
      if (tokens.length === sequence.length) return { tokens, after: () => part.tokens.slice(last + 1) };
    }
    return null;
  }
}

function nearestAfter(
  { places }: Part,
  choice: readonly string[],
  last: number,
): { token: string; place: number } | null {
  let nearest: { token: string; place: number } | null = null;
  for (const token of choice) {
    const place = firstAbove(places.get(fold(token)) ?? [], last);
    if (place !== undefined && (nearest === null || place < nearest.place)) nearest = { token, place };
  }
  return nearest;
}

function firstAbove(ascending: readonly number[], last: number): number | undefined {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) > last) high = middle;
    else low = middle + 1;
  }
  return ascending[low];
}

/** Some file systems do not distinguish `KUBECTL` from `kubectl`; the letters of flags mean different things. */
function fold(token: string): string {
  return token.startsWith('-') ? token : token.toLowerCase();
}

/** Characters that belong to a piece, as do all beyond ASCII; `/`, `=`, `:`, quotes and operators end one. */
const IN_PIECE = Array.from({ length: 128 }, (_, code) => /[\w.+@%~^-]/.test(String.fromCharCode(code)));
const LAST_BLANK = 0x20;

function cutTokens(text: string, add: (token: string) => void): void {
  let token = 0;
  let piece = 0;
  for (let at = 0; at <= text.length; at++) {
    const code = at === text.length ? LAST_BLANK : text.charCodeAt(at);
    if (IN_PIECE[code] ?? true) continue;
    const isEnd = code <= LAST_BLANK;
    if (piece < at && !(isEnd && piece === token)) add(text.slice(piece, at));
    piece = at + 1;
    if (!isEnd) continue;
    if (token < at) add(text.slice(token, at));
    token = at + 1;
  }
}
