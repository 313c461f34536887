import type { JsonObject } from '../kernel/json';

/** Path of a member: of the body's object, or of an object directly inside it. */
export type MemberPath = readonly [string] | readonly [string, string];

/** The members to look for, each with the name for its result. */
export type Wanted<Name extends string> = Readonly<Record<Name, MemberPath>>;

export interface SpottedMember {
  /** The last value, as with `JSON.parse`; undefined for an object, a list or a value that is too long. */
  readonly value: unknown;
  /** True if an earlier member of this name has another value, or the same value in another spelling. */
  readonly isAmbiguous: boolean;
}

export type SpottedObject<Name extends string> = { readonly [name in Name]?: SpottedMember };

/** Members found in a body without a complete parse. */
export interface Spotted<Name extends string> {
  /** True if the body is a list of objects. */
  readonly isList: boolean;
  /** The objects that have at least one of the members. */
  readonly objects: readonly SpottedObject<Name>[];
}

/** The text that a member holds; null for anything else. */
export const textOf = (member: SpottedMember | undefined): string | null =>
  typeof member?.value === 'string' ? member.value : null;

/** Longer values are dropped: no id and no name that the service uses is so long. */
const MAX_TOKEN_BYTES = 400;
/** The limit of a JSON-RPC batch. */
const MAX_OBJECTS = 100;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const SPACE = 0x20;

type Bytes = readonly number[];

function valueOf(bytes: Bytes | null): unknown {
  try {
    return bytes === null ? undefined : JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The name of a member; null for what is not a text. A body has many of them, and few have an escape to decode. */
function nameOf(bytes: Bytes | null): string | null {
  if (bytes?.[0] !== QUOTE) return null;
  if (bytes.includes(BACKSLASH)) {
    const name = valueOf(bytes);
    return typeof name === 'string' ? name : null;
  }
  // Bytes beyond ASCII are decoded wrongly here, but no name that the service looks for has any.
  return bytes.at(-1) === QUOTE ? String.fromCharCode(...bytes.slice(1, -1)) : null;
}

const isSame = (one: Bytes | null, other: Bytes | null): boolean =>
  one === other || (one?.length === other?.length && one?.every((byte, n) => byte === other?.[n]) === true);

/** A member's raw bytes: decoded once, when its object has ended, however often the member is repeated. */
interface RawMember {
  readonly bytes: Bytes | null;
  readonly isAmbiguous: boolean;
}

/** Finds the same members in a body that is already parsed. */
export function membersOf<Name extends string>(body: unknown, wanted: Wanted<Name>): Spotted<Name> {
  const isList = Array.isArray(body);
  const elements: unknown[] = isList ? body : [body];
  const objects = elements.map((element) => {
    const members: { [name in Name]?: SpottedMember } = {};
    for (const name in wanted) {
      const value = wanted[name].reduce<unknown>(
        (within, step) => (within as JsonObject | null | undefined)?.[step],
        element,
      );
      if (value !== undefined) members[name] = { value, isAmbiguous: false };
    }
    return members;
  });
  return { isList, objects };
}

/**
 * Finds members of the outermost object, or of the objects in the outermost list, in the bytes of a body as a stream.
 * It takes one step for each byte and bounded memory. It also works on JSON that is too large, truncated or refused,
 * so that the sender gets an answer in its own form. It ignores members of the same name at deeper levels.
 */
export class MemberSpotter<Name extends string> {
  private readonly objects: SpottedObject<Name>[] = [];
  private members = new Map<Name, RawMember>();
  private isList = false;
  private isOver = false;
  private depth = 0;
  /** The depth of an object's members: 2 if the body is a list. */
  private base = 1;
  /** The member that contains the members one level deeper. */
  private parent: string | null = null;
  private key: string | null = null;
  private token: number[] | null = null;
  private inString = false;
  private isEscaped = false;

  constructor(private readonly wanted: Wanted<Name>) {}

  take(bytes: Uint8Array): void {
    for (let place = 0; place < bytes.length && !this.isOver; place++) {
      if (this.inString && !this.isKept) place = this.skip(bytes, place);
      const byte = bytes[place];
      if (byte !== undefined) this.step(byte);
    }
  }

  /** Call after the last byte; of a truncated body, the received part counts. */
  end(): Spotted<Name> {
    this.endOfObject();
    return { isList: this.isList, objects: this.objects };
  }

  private get isKept(): boolean {
    return this.token !== null && this.token.length <= MAX_TOKEN_BYTES;
  }

  private get isNear(): boolean {
    return this.depth <= this.base + 1;
  }

  /** @returns the position where an ignored string may end; most of a large body is in such strings. */
  private skip(bytes: Uint8Array, from: number): number {
    if (this.isEscaped) return from;
    let place = from;
    while (place < bytes.length && bytes[place] !== QUOTE && bytes[place] !== BACKSLASH) place++;
    return place;
  }

  private step(byte: number): void {
    if (this.inString) {
      this.inside(byte);
      return;
    }
    switch (byte) {
      case QUOTE:
        this.inString = true;
        this.token = this.isNear ? [byte] : null;
        return;
      case OPEN_OBJECT:
      case OPEN_LIST:
        this.open(byte);
        return;
      case CLOSE_OBJECT:
      case CLOSE_LIST:
        this.close();
        return;
      case COLON:
        this.key = nameOf(this.takeToken());
        return;
      case COMMA:
        this.endOfMember();
        return;
      default:
        if (byte > SPACE) this.keep(byte);
    }
  }

  private inside(byte: number): void {
    if (this.token !== null) this.keep(byte);
    if (this.isEscaped) this.isEscaped = false;
    else if (byte === BACKSLASH) this.isEscaped = true;
    else if (byte === QUOTE) this.inString = false;
  }

  private keep(byte: number): void {
    if (!this.isNear) return;
    this.token ??= [];
    if (this.isKept) this.token.push(byte);
  }

  private open(byte: number): void {
    if (this.depth === 0) {
      this.isList = byte === OPEN_LIST;
      this.base = this.isList ? 2 : 1;
    }
    this.token = null;
    const { key } = this;
    this.endOfMember();
    if (this.depth <= this.base) this.parent = this.depth === this.base ? key : null;
    this.depth += 1;
  }

  private close(): void {
    this.endOfMember();
    if (this.depth === this.base) this.endOfObject();
    this.depth -= 1;
    this.isOver = this.depth <= 0;
  }

  /** Handles the end of a member; for an object or a list, its beginning. */
  private endOfMember(): void {
    const { key } = this;
    const bytes = this.takeToken();
    this.key = null;
    if (key === null || !this.isNear || this.depth < this.base) return;
    for (const name in this.wanted) if (this.isAt(this.wanted[name], key)) this.record(name, bytes);
  }

  private isAt([first, second]: MemberPath, key: string): boolean {
    return this.depth === this.base
      ? second === undefined && first === key
      : second === key && first === this.parent;
  }

  private record(name: Name, bytes: Bytes | null): void {
    const earlier = this.members.get(name);
    const isAmbiguous = earlier !== undefined && (earlier.isAmbiguous || !isSame(earlier.bytes, bytes));
    this.members.set(name, { bytes, isAmbiguous });
  }

  /** @returns null for a value that was dropped, or not kept completely. */
  private takeToken(): Bytes | null {
    const { token, isKept } = this;
    this.token = null;
    return isKept ? token : null;
  }

  private endOfObject(): void {
    const { members } = this;
    if (members.size === 0) return;
    this.members = new Map();
    if (this.objects.length === MAX_OBJECTS) return;
    const object: { [name in Name]?: SpottedMember } = {};
    for (const [name, { bytes, isAmbiguous }] of members)
      object[name] = { value: valueOf(bytes), isAmbiguous };
    this.objects.push(object);
  }
}
