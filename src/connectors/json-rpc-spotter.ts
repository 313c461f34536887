import type { RequestId } from '@modelcontextprotocol/sdk/types.js';

/** What can be told of a JSON-RPC request without understanding all of it. */
export interface SpottedRequest {
  readonly id: RequestId;
  readonly method: string;
  /** Of a tool, where the request names one. */
  readonly tool: string | null;
}

/** Longer values are not kept: no id, method or name of ours is so long. */
const MAX_TOKEN_BYTES = 400;
/** As many as a batch may hold. */
const MAX_REQUESTS = 100;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const SPACE = 0x20;

interface Members {
  id?: unknown;
  method?: unknown;
  tool?: unknown;
}

function valueOf(bytes: readonly number[]): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}

export function spotted({ id, method, tool }: Members): SpottedRequest | null {
  if ((typeof id !== 'string' && typeof id !== 'number') || typeof method !== 'string') return null;
  return { id, method, tool: typeof tool === 'string' ? tool : null };
}

/**
 * Finds the requests in the bytes of a POST as they pass, in one step for each byte and with bounded memory: also where
 * the JSON is too large, cut off or refused, so that whoever asked can be answered by its id.
 */
export class JsonRpcSpotter {
  readonly requests: SpottedRequest[] = [];
  private members: Members = {};
  private depth = 0;
  /** The depth of the members of a request: 2 in a batch. */
  private base = 1;
  private inParams = false;
  private key = '';
  private token: number[] | null = null;
  private inString = false;
  private isEscaped = false;

  take(bytes: Uint8Array): void {
    for (let place = 0; place < bytes.length; place++) {
      if (this.inString && this.isTooLong) place = this.skip(bytes, place);
      const byte = bytes[place];
      if (byte !== undefined) this.step(byte);
    }
  }

  /** All bytes have passed: what was cut off counts as far as it came. */
  end(): void {
    this.endOfRequest();
  }

  private get isTooLong(): boolean {
    return this.token !== null && this.token.length > MAX_TOKEN_BYTES;
  }

  /** @returns where a string that is not kept may end; most of a large body is in such strings. */
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
        this.token = [byte];
        return;
      case OPEN_OBJECT:
      case OPEN_LIST: {
        this.open(byte);
        return;
      }
      case CLOSE_OBJECT:
      case CLOSE_LIST: {
        this.close();
        return;
      }
      case COLON:
        this.key = String(this.takeToken());
        return;
      case COMMA: {
        this.value();
        return;
      }
      default:
        if (byte > SPACE) this.keep(byte);
    }
  }

  private inside(byte: number): void {
    this.keep(byte);
    if (this.isEscaped) this.isEscaped = false;
    else if (byte === BACKSLASH) this.isEscaped = true;
    else if (byte === QUOTE) this.inString = false;
  }

  private keep(byte: number): void {
    this.token ??= [];
    if (this.token.length <= MAX_TOKEN_BYTES) this.token.push(byte);
  }

  private open(byte: number): void {
    if (this.depth === 0) this.base = byte === OPEN_LIST ? 2 : 1;
    if (this.depth === this.base) this.inParams = this.key === 'params';
    this.depth += 1;
    this.token = null;
    this.key = '';
  }

  private close(): void {
    this.value();
    if (this.depth === this.base) this.endOfRequest();
    this.depth -= 1;
    this.key = '';
  }

  private value(): void {
    if (this.depth === this.base && this.key === 'id') this.members.id = this.takeToken();
    else if (this.depth === this.base && this.key === 'method') this.members.method = this.takeToken();
    else if (this.depth === this.base + 1 && this.inParams && this.key === 'name')
      this.members.tool = this.takeToken();
    this.token = null;
    this.key = '';
  }

  private takeToken(): unknown {
    const { token } = this;
    this.token = null;
    return token === null || token.length > MAX_TOKEN_BYTES ? undefined : valueOf(token);
  }

  private endOfRequest(): void {
    const request = spotted(this.members);
    this.members = {};
    if (request && this.requests.length < MAX_REQUESTS) this.requests.push(request);
  }
}
