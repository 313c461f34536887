import { Injectable } from '@nestjs/common';
import { Log } from '../logging/log';
import { toolEffect } from './claude-code-tools';

/** Names come from outside: a caller that invents them fills the log no further. */
const MAX_REPORTED_NAMES = 100;

/** Reports tools that the service has no description of, each once: a new version of Claude Code brought them. */
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
