/** A route was added. It feeds metrics, as do all events of this file. */
export class RouteAdded {
  constructor(
    readonly method: string,
    /** Template of the route. */
    readonly route: string,
    /** True if its answers are held by design. */
    readonly held: boolean,
  ) {}
}

/** A request was answered. */
export class RequestAnswered {
  constructor(
    readonly method: string,
    readonly route: string,
    readonly held: boolean,
    readonly statusCode: number,
    readonly durationMs: number,
  ) {}
}

/** The circuit breaker before Telegram changed its state. */
export class BreakerMoved {
  constructor(readonly to: 'closed' | 'half-open' | 'open') {}
}
