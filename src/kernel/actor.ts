/** The actor: an operator in Telegram, the holder of an API key, or the service itself. */
export interface Actor {
  readonly kind: 'telegram' | 'api' | 'system';
  /** The numeric Telegram user id, or the name of the API key. */
  readonly id: string;
  readonly name: string;
}

/** The sweeper as an actor: it ends requests that nobody decided in time. */
export const TIMEOUT_ACTOR: Actor = { kind: 'system', id: 'timeout', name: 'timeout' };

/** The API key that asks, as it was authenticated. */
export interface Asker {
  readonly keyId: string;
  /** Owner of the key at the time of the request; null: it has none, or the request is older than this record of it. */
  readonly owner: string | null;
}
