/** The channels through which a person acts. */
export const CHANNELS = ['telegram', 'console', 'api'] as const;

export type Channel = (typeof CHANNELS)[number];

/** A person: an operator, or the holder of an API key. */
export interface Person {
  readonly kind: 'person';
  readonly channel: Channel;
  /** The numeric Telegram user id, or the name of the API key. */
  readonly id: string;
  readonly name: string;
}

/** The one that ended a request. Every reader answers for each kind by a switch, so that a new kind does not compile before. */
export type Actor =
  | Person
  /** A rule, in one version of the policy. */
  | { readonly kind: 'policy'; readonly version: string; readonly rule: string }
  /** A grant; its name has the scope and its maker. */
  | { readonly kind: 'grant'; readonly id: string; readonly name: string }
  /** The service itself; `timeout`: nobody decided in time. */
  | { readonly kind: 'system'; readonly cause: string };

export const TIMEOUT_ACTOR: Actor = { kind: 'system', cause: 'timeout' };

/** Kinds of actors in rows, answers, receipts and the audit log, where a person is named by the channel. */
export const ACTOR_KINDS = [...CHANNELS, 'policy', 'grant', 'system'] as const;

/** An actor in rows, answers, receipts and the audit log. */
export interface NamedActor {
  readonly kind: (typeof ACTOR_KINDS)[number];
  readonly id: string;
  readonly name: string;
}

export function nameActor(actor: Actor): NamedActor {
  switch (actor.kind) {
    case 'person':
      return { kind: actor.channel, id: actor.id, name: actor.name };
    case 'policy':
      return { kind: 'policy', id: actor.version, name: actor.rule };
    case 'grant':
      return { kind: 'grant', id: actor.id, name: actor.name };
    case 'system':
      return { kind: 'system', id: actor.cause, name: actor.cause };
  }
}

/** The actor that {@link nameActor} named so. */
export function readActor({ kind, id, name }: NamedActor): Actor {
  switch (kind) {
    case 'telegram':
    case 'console':
    case 'api':
      return { kind: 'person', channel: kind, id, name };
    case 'policy':
      return { kind, version: id, rule: name };
    case 'grant':
      return { kind, id, name };
    case 'system':
      return { kind, cause: id };
  }
}

/** The actor as the audit log writes it: `api:laptop`, `telegram:7`. */
export function auditName(actor: Actor): string {
  const { kind, id } = nameActor(actor);
  return kind === 'system' ? id : `${kind}:${id}`;
}

/** The actor that {@link auditName} wrote so; its name is not known. */
export function readAuditName(text: string): Actor {
  const [, kind, id] = /^(\w+):(.+)$/.exec(text) ?? [];
  const known = ACTOR_KINDS.find((each) => each === kind);
  if (known === undefined || id === undefined) return { kind: 'system', cause: text };
  return readActor({ kind: known, id, name: id });
}

/** The actor in a sentence: “approved by …”. */
export function labelActor(actor: Actor): string {
  switch (actor.kind) {
    case 'person':
      return actor.name;
    case 'policy':
      return `the rule ${actor.rule}`;
    case 'grant':
      return `the grant for ${actor.name}`;
    case 'system':
      return 'Countersign';
  }
}

/** The API key that asks, as it was authenticated. */
export interface Asker {
  readonly keyId: string;
  /** Owner of the key at the time of the request; null: it has none, or the request is older than this record of it. */
  readonly owner: string | null;
}
