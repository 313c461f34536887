import { Injectable } from '@nestjs/common';
import { Log } from '../logging/log';

/** Limit, so that a caller that invents names cannot fill the log. */
const MAX_REPORTED_NAMES = 100;

/** Reports each tool that the service does not know once; such tools come with new versions of an agent. */
@Injectable()
export class UnknownTools {
  private readonly reported = new Set<string>();

  constructor(private readonly log: Log) {}

  notice(agent: string, toolName: string): void {
    const name = `${agent}: ${toolName}`;
    if (this.reported.has(name) || this.reported.size >= MAX_REPORTED_NAMES) return;
    this.reported.add(name);
    this.log.event(
      'warn',
      'connector.unknown-tool',
      { toolName },
      `${agent} used a tool that this version does not know; the operators are asked for it`,
    );
  }
}
