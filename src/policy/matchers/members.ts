import type { JsonObject, JsonValue } from '../../kernel/json';

/** A condition reads a member that is not there. */
export class MissingMember extends Error {
  override readonly name = 'MissingMember';
}

/** A value of the request as a condition reads it. */
export type Readable = Exclude<JsonValue, object> | null | readonly Readable[] | Members;

/**
 * The members of an object, for a condition. Only one that is there can be read: nothing shows that another is not, neither
 * its name, nor the number of all, nor a comparison. So leaving a member out is never an answer to a condition.
 */
export class Members extends Map<string, Readable> {
  static {
    // cel-js knows types by their constructor, and so an object with a member of that name, too.
    Object.defineProperty(Members.prototype, 'constructor', { value: Map });
  }

  constructor(private readonly object: JsonObject) {
    super();
  }

  override get(name: string): Readable {
    const known = super.get(name);
    if (known !== undefined) return known;
    const value = Object.hasOwn(this.object, name) ? this.object[name] : undefined;
    if (value === undefined) throw new MissingMember(`There is no member ${name}.`);
    const made = readable(value);
    // A list is made once, however often a loop reads it.
    this.set(name, made);
    return made;
  }

  override has(name: string): boolean {
    this.get(name);
    return true;
  }

  override get size(): number {
    throw new MissingMember('The number of members is not certain.');
  }

  override keys(): never {
    throw new MissingMember('The names of members are not certain.');
  }

  override [Symbol.iterator](): never {
    throw new MissingMember('The members are not certain.');
  }

  /** cel-js reads the first entry to name the type of a map. */
  override entries(): ReturnType<Map<string, Readable>['entries']> {
    return new Map<string, Readable>().entries();
  }
}

function readable(value: JsonValue): Readable {
  if (Array.isArray(value)) return value.map(readable);
  return typeof value === 'object' && value !== null ? new Members(value as JsonObject) : value;
}
