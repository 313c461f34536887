import type { JsonObject, JsonValue } from '../../kernel/json';

/** A condition reads a member that is not there. */
export class MissingMember extends Error {
  override readonly name = 'MissingMember';
}

/**
 * Notes that a condition has read something that the request does not have. A failure alone does not show it: of two
 * operands that fail, `&&`, `||` and loops throw one.
 */
export interface Absence {
  wasRead: boolean;
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

  constructor(
    private readonly object: JsonObject,
    private readonly absence: Absence,
  ) {
    super();
  }

  override get(name: string): Readable {
    const known = super.get(name);
    if (known !== undefined) return known;
    const value = Object.hasOwn(this.object, name) ? this.object[name] : undefined;
    if (value === undefined) return this.miss(`There is no member ${name}.`);
    const made = readable(value, this.absence);
    // A list is made once, however often a loop reads it.
    this.set(name, made);
    return made;
  }

  override has(name: string): boolean {
    this.get(name);
    return true;
  }

  override get size(): number {
    return this.miss('The number of members is not certain.');
  }

  override keys(): never {
    return this.miss('The names of members are not certain.');
  }

  override [Symbol.iterator](): never {
    return this.miss('The members are not certain.');
  }

  /** cel-js reads the first entry to name the type of a map. */
  override entries(): ReturnType<Map<string, Readable>['entries']> {
    return new Map<string, Readable>().entries();
  }

  private miss(message: string): never {
    this.absence.wasRead = true;
    throw new MissingMember(message);
  }
}

function readable(value: JsonValue, absence: Absence): Readable {
  if (Array.isArray(value)) {
    // A condition may read further than the list goes.
    const list = value.map((part: JsonValue) => readable(part, absence));
    return new Proxy(list, {
      get: (_, name) => {
        if (typeof name === 'string' && Number(name) >= list.length) absence.wasRead = true;
        return Reflect.get(list, name) as unknown;
      },
    });
  }
  return typeof value === 'object' && value !== null ? new Members(value as JsonObject, absence) : value;
}
