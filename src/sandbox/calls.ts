import { Ring } from './ring';

/** Enough for the longest soak test, and small enough for the memory of any machine. */
const MOST_CALLS = 100_000;

/** One call the Bot API received. */
export interface RecordedCall {
  readonly method: string;
  readonly bot: number;
  /** RFC 3339, with milliseconds; `atMs` is the same moment in Unix milliseconds. */
  readonly at: string;
  readonly atMs: number;
  readonly params: Readonly<Record<string, unknown>>;
  /** The HTTP status of the answer; null while there is none, 0 if the sandbox cut the connection. */
  status: number | null;
  /** True if a fault was applied to the call. */
  fault: boolean;
}

/** The latest 100 000 calls, oldest first. */
export class Calls {
  private readonly ring = new Ring<RecordedCall>(MOST_CALLS);

  record(method: string, bot: number, at: Date, params: Readonly<Record<string, unknown>>): RecordedCall {
    const call: RecordedCall = {
      method,
      bot,
      at: at.toISOString(),
      atMs: at.getTime(),
      params,
      status: null,
      fault: false,
    };
    this.ring.push(call);
    return call;
  }

  list(method: string | undefined): RecordedCall[] {
    const wanted = method?.toLowerCase();
    return this.ring.list().filter((call) => wanted === undefined || call.method.toLowerCase() === wanted);
  }

  clear(): void {
    this.ring.clear();
  }
}
