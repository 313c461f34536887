import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { CHECKOUT } from './processes';

const PROGRAM = join(CHECKOUT, 'test/bench/load/generator.mjs');

export interface Target {
  readonly host: string;
  readonly port: number;
}

export const targetOf = (url: string): Target => ({
  host: new URL(url).hostname,
  port: Number(new URL(url).port),
});

/** A request in words; it is on the wire as the bench's own are. */
export interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly key: string;
  readonly body?: unknown;
  readonly idempotencyKey?: string;
}

/** Milliseconds, over the requests that were answered as they should be. */
export interface Summary {
  readonly requests: number;
  readonly failures: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface Parked {
  readonly parked: number;
  readonly answered: number;
  readonly resets: number;
}

interface Handlers {
  /** Closed loop: every connection asks again once it is answered, `count` requests in all. */
  enqueue(options: {
    target: Target;
    key: string;
    path: string;
    connections: number;
    count: number;
  }): Summary;
  /** Open loop: so many a second, whether or not earlier ones are answered. */
  paced(options: { target: Target; key: string; path: string; perSecond: number; seconds: number }): Summary;
  /** Whole ones: asked, waited for, approved by somebody else, heard. */
  journeys(options: {
    target: Target;
    keys: { agent: string; operator: string };
    agents: number;
    each: number;
  }): Summary;
  /** The number of answers by status; 0 means that the connection was lost. */
  calls(options: { target: Target; calls: readonly Call[]; connections: number }): Record<string, number>;
  /** `slow`: never reads what comes. */
  park(options: {
    target: Target;
    key: string;
    ids: readonly string[];
    kind?: 'poll' | 'stream';
    slow?: boolean;
  }): void;
  parked(): Parked;
  /** Waits until the other side has closed every connection. */
  emptied(): Parked;
  /** Hangs up: so many, or all. */
  leave(count?: number): void;
}

/** Callers in a process of their own, so that thousands of them do not slow the test that counts what they hear. */
export class Generator {
  private readonly child: ChildProcess;
  private readonly open = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >();
  private lastId = 0;
  private ready: () => void = () => undefined;

  private constructor() {
    this.child = fork(PROGRAM, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.child.on('message', (message) => this.heard(message as Message));
    this.child.once('exit', () => {
      for (const { reject } of this.open.values()) reject(new Error('the generator has ended'));
    });
  }

  static async start(): Promise<Generator> {
    const generator = new Generator();
    await new Promise<void>((resolve) => (generator.ready = resolve));
    return generator;
  }

  run<Name extends keyof Handlers>(
    name: Name,
    ...args: Parameters<Handlers[Name]>
  ): Promise<ReturnType<Handlers[Name]>> {
    return new Promise((resolve, reject) => {
      const id = ++this.lastId;
      this.open.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.child.send({ id, name, args });
    });
  }

  end(): void {
    this.child.kill('SIGKILL');
  }

  private heard({ ready, id, value, error }: Message): void {
    if (ready === true || id === undefined) {
      this.ready();
      return;
    }
    const call = this.open.get(id);
    this.open.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(new Error(error));
  }
}

interface Message {
  readonly ready?: boolean;
  readonly id?: number;
  readonly value?: unknown;
  readonly error?: string;
}
