import type { Answer } from './answers';

/** A held call was answered, or ended without an answer. The event stays in memory and feeds the metrics. */
export class ConnectorAnswered {
  constructor(
    readonly connector: string,
    readonly kind: Answer['kind'],
  ) {}
}
