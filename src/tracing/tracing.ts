/** Position of a span in its trace, as a W3C `traceparent`. */
export type Traceparent = string;

export type Attributes = Readonly<Record<string, string | number | boolean>>;

/**
 * Traces requests, if a collector is configured. Attributes are ids, names from fixed lists and numbers, and never an
 * agent's text, so that no secret can be among them. Errors are recorded by the name of their class.
 */
export abstract class Tracing {
  /** Begins a span under the running one, under the caller's, or in a new trace. */
  abstract begin<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T>;

  /** Begins a span in a trace that began elsewhere; null: neither is traced. */
  abstract resume<T>(
    at: Traceparent | null,
    name: string,
    attributes: Attributes,
    work: () => Promise<T>,
  ): Promise<T>;

  /** Begins a span for a call to a peer, under the running span; none outside of a trace. */
  abstract call<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T>;

  /** Adds a finished span to a trace that began elsewhere, with a link to the running one. */
  abstract past(at: Traceparent | null, name: string, from: Date, to: Date, attributes: Attributes): void;

  /** Runs `work` under the caller's span, named by its headers. */
  abstract under<T>(traceparent: string | undefined, work: () => T): T;

  /** Position of the running span; null outside of a trace. */
  abstract readonly current: Traceparent | null;

  /** Sends the remaining spans. */
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
