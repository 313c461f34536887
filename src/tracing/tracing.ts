/** Where a span stands in its trace, as a W3C `traceparent`. */
export type Traceparent = string;

export type Attributes = Readonly<Record<string, string | number | boolean>>;

/**
 * Traces, when somebody collects them. Attributes are ids, names from fixed lists and numbers: nothing that an agent
 * wrote, so that no secret can be among them. Errors show by the name of their class.
 */
export abstract class Tracing {
  /** A span under the one that runs, or under the caller's, or of a new trace. */
  abstract begin<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T>;

  /** A span of the trace that began elsewhere; null: it was not traced, and neither is this. */
  abstract resume<T>(
    at: Traceparent | null,
    name: string,
    attributes: Attributes,
    work: () => Promise<T>,
  ): Promise<T>;

  /** A call to a peer, under the span that runs; outside of every trace none. */
  abstract call<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T>;

  /** A span that is over, of the trace that began elsewhere, with a link to the one that runs now. */
  abstract past(at: Traceparent | null, name: string, from: Date, to: Date, attributes: Attributes): void;

  /** Runs `work` as the caller's, whose headers say where it stands. */
  abstract under<T>(traceparent: string | undefined, work: () => T): T;

  /** Of the span that runs; null outside of every trace. */
  abstract readonly current: Traceparent | null;

  /** Sends what is left. */
  abstract close(): Promise<void>;
}

/** Tracing off. */
export class NoTracing extends Tracing {
  readonly current = null;

  begin<T>(_name: string, _attributes: Attributes, work: () => Promise<T>): Promise<T> {
    return work();
  }

  resume<T>(
    _at: Traceparent | null,
    _name: string,
    _attributes: Attributes,
    work: () => Promise<T>,
  ): Promise<T> {
    return work();
  }

  call<T>(_name: string, _attributes: Attributes, work: () => Promise<T>): Promise<T> {
    return work();
  }

  past(): void {
    // Nobody collects it.
  }

  under<T>(_traceparent: string | undefined, work: () => T): T {
    return work();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
