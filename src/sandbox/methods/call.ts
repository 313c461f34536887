import type { Bot } from '../bot';
import type { Callbacks } from '../callbacks';
import type { Params } from '../params';
import type { World } from '../world';

/** One call of a method, with its parameters parsed. */
export interface Call {
  readonly world: World;
  readonly bot: Bot;
  readonly callbacks: Callbacks;
  readonly params: Params;
  /** Aborts when the client hangs up. */
  readonly gone: AbortSignal;
  /** Runs another method, as a webhook's answer may ask for; the result is discarded. */
  readonly execute: (method: string, call: Call) => Promise<unknown>;
}

/** A success: its `result`, and the description that some methods add. */
export interface Success {
  readonly result: unknown;
  readonly description?: string;
}

export type Method = (call: Call) => Success | Promise<Success>;

export const succeeded = (result: unknown, description?: string): Success =>
  description === undefined ? { result } : { result, description };
