import { Injectable } from '@nestjs/common';
import { Log } from '../logging/log';
import { toolEffect } from './claude-code/claude-code-tools';

/** Limit, so that a caller that invents names cannot fill the log. */
const MAX_REPORTED_NAMES = 100;

/** Reports each tool that the service does not know once; such tools come with new versions of Claude Code. */
@Injectable()
export class UnknownTools {
  private readonly reported = new Set<string>();

  constructor(private readonly log: Log) {}

  notice(toolName: string): void {
    if (toolEffect(toolName) !== null || this.reported.has(toolName)) return;
    if (this.reported.size >= MAX_REPORTED_NAMES) return;
    this.reported.add(toolName);
    this.log.event(
      'warn',
      'connector.unknown-tool',
      { toolName },
      'Claude Code used a tool that this version does not know; the operators are asked for it',
    );
  }
}
