import type { Answer } from './answers';

export const CONNECTORS = ['hook', 'mcp'] as const;

export type Connector = (typeof CONNECTORS)[number];

/** A held call was answered, or ended without an answer. The event stays in memory and feeds the metrics. */
export class ConnectorAnswered {
  constructor(
    readonly connector: Connector,
    readonly kind: Answer['kind'],
  ) {}
}
