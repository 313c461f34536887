import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { CONFIG, type Config } from '../config/environment';
import { Log } from '../logging/log';

/** Descriptors reserved for Telegram, LISTEN, files and pipes; the database's pool has its own in addition. */
const RESERVED_DESCRIPTORS = 128;
/** HTTP gets at least this part of all descriptors. */
const LEAST_PART = 0.5;
/** Used if the system has no limit, and if its limit is so high that memory runs out first. */
export const MAX_CONNECTIONS = 20_000;
/** Part of all connections that may wait for an answer; the others are for calls that are answered at once. */
const HELD_PART = 0.75;
/** Minimum interval between log lines about refusals. */
const LOG_EVERY_MS = 60_000;

/** The number of files this process may have open (RLIMIT_NOFILE); null where the system does not report it. */
function descriptorLimit(): number | null {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null; // no Linux
  }
}

/** @param descriptors null: unknown */
export function connectionsFor(descriptors: number | null, poolSize: number): number {
  if (descriptors === null) return MAX_CONNECTIONS;
  const left = descriptors - RESERVED_DESCRIPTORS - poolSize;
  return Math.min(MAX_CONNECTIONS, Math.max(left, Math.floor(descriptors * LEAST_PART)));
}

/**
 * Keeps connections below the process's limit of open files, and closes new ones beyond it at once. So callers cannot
 * exhaust the descriptors for the database and Telegram.
 */
@Injectable()
export class ConnectionLimit {
  readonly maxConnections: number;
  readonly maxHeld: number;
  private refused = 0;
  private loggedAt = -Infinity;

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly log: Log,
    @Inject(CONFIG) { database }: Config,
  ) {
    this.maxConnections = connectionsFor(descriptorLimit(), database.poolSize);
    this.maxHeld = Math.floor(this.maxConnections * HELD_PART);
  }

  /** Connections closed because there were too many. */
  get refusedTotal(): number {
    return this.refused;
  }

  attach(): void {
    const server = this.host.httpAdapter.getHttpServer() as Server;
    server.maxConnections = this.maxConnections;
    server.on('drop', () => this.refuse(server));
  }

  private refuse(server: Server): void {
    this.refused += 1;
    // Closes idle keep-alive connections, so that the next caller gets their place.
    server.closeIdleConnections();
    const now = performance.now();
    if (now - this.loggedAt < LOG_EVERY_MS) return;
    this.loggedAt = now;
    const fields = { maxConnections: this.maxConnections, refused: this.refused };
    this.log.event('warn', 'http.connections-refused', fields, 'too many connections; new ones are closed');
  }
}
