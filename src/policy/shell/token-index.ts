/** Longest token that is kept; the schema allows no longer one in a rule. */
const MAX_TOKEN_LENGTH = 1_000;
/** Flags of one letter each, joined, have at most these. A longer word is one long flag, as of find. */
const MAX_JOINED_FLAGS = 6;

const DASH = 0x2d;
const NO_FLAGS: readonly string[] = [];

/** The letters of joined flags, a bit for each. */
interface Letters {
  readonly small: number;
  readonly capital: number;
}

/** Null for a word that is not `-` with letters. */
function lettersOf(text: string, start: number, end: number): Letters | null {
  if (text[start] !== '-' || end - start < 2 || end - start > MAX_JOINED_FLAGS + 1) return null;
  let small = 0;
  let capital = 0;
  for (let at = start + 1; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0x61 && code <= 0x7a) small |= 1 << (code - 0x61);
    else if (code >= 0x41 && code <= 0x5a) capital |= 1 << (code - 0x41);
    else return null;
  }
  return { small, capital };
}

/**
 * The tokens that the rules of a policy look for. Of a text only these are kept, so that one of megabytes is indexed in a
 * few nanoseconds a character.
 */
export class Vocabulary {
  private readonly tokens: ReadonlySet<string>;
  private readonly digests = new Uint8Array(DIGESTS);
  /** Flags of letters that may be joined with others. */
  private readonly clusters: readonly { readonly token: string; readonly letters: Letters }[];

  constructor(tokens: Iterable<string>) {
    this.tokens = new Set(Array.from(tokens, foldToken));
    for (const token of this.tokens) this.digests[digestOf(token)] = 1;
    this.clusters = Array.from(this.tokens).flatMap((token) => {
      const letters = lettersOf(token, 0, token.length);
      return letters === null ? [] : [{ token, letters }];
    });
  }

  /** The flags of which a word has every letter: `-rf` of `-fr` and `-rfv`. */
  flagsWithin(text: string, start: number, end: number): readonly string[] {
    if (this.clusters.length === 0 || text.charCodeAt(start) !== DASH) return NO_FLAGS;
    const found = lettersOf(text, start, end);
    if (found === null) return NO_FLAGS;
    return this.clusters.flatMap(({ token, letters: { small, capital } }) =>
      (small & ~found.small) === 0 && (capital & ~found.capital) === 0 ? [token] : [],
    );
  }

  /** False for most digests of texts that are not among the tokens. */
  mayHave(digest: number): boolean {
    return this.digests[digest & (DIGESTS - 1)] === 1;
  }

  has(folded: string): boolean {
    return this.tokens.has(folded);
  }
}

export interface FoundTokens {
  /** As the rule writes them. */
  readonly tokens: readonly string[];
  /** The words after the last of them that begin with `-` or `+`. */
  readonly flags: () => readonly string[];
}

/** Tokens that may be in several members. */
export interface ScatteredTokens {
  readonly tokens: readonly string[];
  /** False if all are in the same member. */
  readonly isDivided: boolean;
  /** The words that begin with `-` or `+`, in other members than the one of the tokens. */
  readonly flags: (spend: (steps: number) => void) => readonly string[];
}

/** Texts in which tokens are searched. */
export interface IndexedTexts {
  /** For each member of an input, the readings of its text. */
  readonly members: readonly (readonly string[])[];
  /** Texts that are made of several members. */
  readonly joined: readonly string[];
  /** Names of members. */
  readonly names: readonly string[];
  /** True if there are more texts. */
  readonly isCut: boolean;
}

/** The place of a token that is in several members, or in a name. */
const DIVIDED = -1;

/**
 * Indexes the tokens of a vocabulary in texts, in time linear in their length. A token is text between blanks, and also each
 * piece of it: `/usr/bin/kubectl` is also `kubectl`, `--name=kubectl` is also `--name` and `kubectl`.
 */
export function indexTokens(texts: IndexedTexts, vocabulary: Vocabulary): TokenIndex {
  const owners = new Map<string, number>();
  const own = (part: Part | null, member: number): void => {
    for (const token of part?.places.keys() ?? []) {
      const known = owners.get(token);
      owners.set(token, known === undefined || known === member ? member : DIVIDED);
    }
  };
  // There may be a great many texts, and most have none of the tokens.
  const parts: Part[] = [];
  for (const [member, readings] of texts.members.entries()) {
    for (const text of readings) {
      const part = indexPart(text, vocabulary);
      own(part, member);
      if (part !== null) parts.push(part);
    }
  }
  own(indexPart(texts.names.join('\n'), vocabulary), DIVIDED);
  parts.push(...texts.joined.flatMap((text) => indexPart(text, vocabulary) ?? []));
  return new TokenIndex(texts, parts, owners);
}

/** Null if the text has no token of the vocabulary. */
function indexPart(text: string, vocabulary: Vocabulary): Part | null {
  const places = new Map<string, number[]>();
  const add = (token: string, end: number): void => {
    const known = places.get(token);
    if (known === undefined) places.set(token, [end]);
    else known.push(end);
  };
  cutTokens(text, (digest, start, end) => {
    const flags = vocabulary.flagsWithin(text, start, end);
    if (flags.length > 0) {
      for (const flag of flags) add(flag, end);
      return;
    }
    if (!vocabulary.mayHave(digest) || end - start > MAX_TOKEN_LENGTH) return;
    const token = foldToken(text.slice(start, end));
    if (vocabulary.has(token)) add(token, end);
  });
  return places.size === 0 ? null : { text, places, flags: null };
}

interface Part {
  readonly text: string;
  /** For each token, the ends of its places in ascending order. */
  readonly places: Map<string, number[]>;
  /** Made when first needed. */
  flags: readonly { readonly start: number; readonly word: string }[] | null;
}

export class TokenIndex {
  private flags: readonly { readonly member: number; readonly word: string }[] | null = null;

  constructor(
    private readonly texts: IndexedTexts,
    private readonly parts: readonly Part[],
    /** The member of each token. */
    private readonly owners: ReadonlyMap<string, number>,
  ) {}

  /** The tokens that are there, as `foldToken` writes them; null if there are texts that were not read. */
  get tokens(): Iterable<string> | null {
    return this.texts.isCut ? null : this.owners.keys();
  }

  /**
   * One of the tokens for each place of a sequence, in this order in one text that is accepted. `spend` is told of each
   * text.
   */
  find(
    sequence: readonly (readonly string[])[],
    spend: (steps: number) => void,
    accepts: (found: FoundTokens) => boolean = () => true,
  ): FoundTokens | null {
    // Of most rules no token is there at all.
    if (!sequence.every((choice) => choice.some((token) => this.owners.has(foldToken(token))))) return null;
    for (const part of this.parts) {
      spend(1);
      const tokens: string[] = [];
      let last = 0;
      for (const choice of sequence) {
        const nearest = nearestAfter(part, choice, last);
        if (nearest === null) break;
        tokens.push(nearest.token);
        last = nearest.end;
      }
      const found = { tokens, flags: () => flagsAfter(part, last) };
      if (tokens.length === sequence.length && accepts(found)) return found;
    }
    return null;
  }

  /** One of the tokens for each place of a sequence, in any order and in any member. */
  findScattered(sequence: readonly (readonly string[])[]): ScatteredTokens | null {
    const tokens = sequence.map((choice) => choice.filter((token) => this.owners.has(foldToken(token))));
    if (tokens.some(({ length }) => length === 0)) return null;
    const owners = new Set(tokens.flat().map((token) => this.owners.get(foldToken(token)) ?? DIVIDED));
    const [owner = DIVIDED] = owners.size === 1 ? owners : [];
    return {
      tokens: tokens.flatMap(([first]) => first ?? []),
      isDivided: owner === DIVIDED,
      flags: (spend) => this.flagsBeside(owner, spend),
    };
  }

  private flagsBeside(owner: number, spend: (steps: number) => void): readonly string[] {
    this.flags ??= this.texts.members.flatMap((readings, member) =>
      readings.flatMap((text) => {
        const flags = flagsIn(text);
        spend(flags.length);
        return flags.map(({ word }) => ({ member, word }));
      }),
    );
    return this.flags.flatMap(({ member, word }) => (member === owner ? [] : word));
  }
}

function nearestAfter(
  { places }: Part,
  choice: readonly string[],
  last: number,
): { token: string; end: number } | null {
  let nearest: { token: string; end: number } | null = null;
  for (const token of choice) {
    const end = firstAbove(places.get(foldToken(token)) ?? [], last);
    if (end !== undefined && (nearest === null || end < nearest.end)) nearest = { token, end };
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

function flagsAfter(part: Part, last: number): readonly string[] {
  part.flags ??= flagsIn(part.text);
  return part.flags.flatMap(({ start, word }) => (start >= last ? [word] : []));
}

function flagsIn(text: string): { start: number; word: string }[] {
  const flags: { start: number; word: string }[] = [];
  cutTokens(text, (_digest, start, end) => {
    if ((text[start] === '-' || text[start] === '+') && end - start <= MAX_TOKEN_LENGTH)
      flags.push({ start, word: text.slice(start, end) });
  });
  return flags;
}

/** Some file systems do not distinguish `KUBECTL` from `kubectl`; the letters of flags mean different things. */
export function foldToken(token: string): string {
  return token.startsWith('-') ? token : token.toLowerCase();
}

const DIGESTS = 0x10000;
const SEED = 17;
const LAST_ASCII = 0x7f;

/** The digest of a text after one more character. Folding changes neither; other than ASCII counts for nothing. */
function extend(digest: number, code: number): number {
  if (code <= LAST_ASCII) return Math.imul(digest ^ (code | 0x20), 0x01000193) >>> 3;
  // The two that fold to letters of ASCII.
  if (code === 0x212a) return extend(digest, 0x6b);
  return code === 0x130 ? extend(digest, 0x69) : digest;
}

function digestOf(text: string, start = 0, end = text.length): number {
  let digest = SEED;
  for (let at = start; at < end; at++) digest = extend(digest, text.charCodeAt(at));
  return digest & (DIGESTS - 1);
}

/** Characters that belong to a piece, as do all beyond ASCII; `/`, `=`, `:`, quotes and operators end one. */
const IN_PIECE = Uint8Array.from({ length: 128 }, (_, code) =>
  Number(/[\w.+@%~^-]/.test(String.fromCharCode(code))),
);
const LAST_BLANK = 0x20;

/** Gives each token and each piece of one, with its digest, in the order of their ends. */
function cutTokens(text: string, add: (digest: number, start: number, end: number) => void): void {
  let token = 0;
  let piece = 0;
  let pieceDigest = SEED;
  for (let at = 0; at <= text.length; at++) {
    const code = at === text.length ? LAST_BLANK : text.charCodeAt(at);
    if (code > LAST_ASCII || IN_PIECE[code] === 1) {
      pieceDigest = extend(pieceDigest, code);
      continue;
    }
    const isEnd = code <= LAST_BLANK;
    if (piece < at) add(pieceDigest, piece, at);
    // Of a token that is one piece, the digest is known.
    if (isEnd && token < piece) add(digestOf(text, token, at), token, at);
    piece = at + 1;
    pieceDigest = SEED;
    if (isEnd) token = at + 1;
  }
}
