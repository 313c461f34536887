import { Injectable, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Client } from 'pg';
import { describeError } from '../kernel/describe-error';
import { Log } from '../logging/log';
import { DatabaseLocation } from './database-location';
import { ANNOUNCE_PRESENCE, NOTICE_ABSENCE, ReplicaPresence } from './replica-presence';
import { isPooled, isSameDatabase } from './session';

const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 5_000;
/** A half-open socket shows no error; only an unanswered query reveals it. */
const HEARTBEAT_MS = 5_000;
const HEARTBEAT_TIMEOUT_MS = 3_000;
const CONNECT_TIMEOUT_MS = 5_000;

export interface NotificationHandler {
  readonly notified: (payload: string) => void;
  /** Called after every (re)connection: notifications during the outage are lost. */
  readonly connected: () => void;
}

/**
 * The one LISTEN connection of this replica. It reconnects for ever, and never fails a caller. It also announces to
 * other replicas that this one runs. Behind a pooler it gives up: LISTEN would register in another session there. The
 * listeners' polls then find everything.
 */
@Injectable()
export class NotificationListener implements OnModuleInit, BeforeApplicationShutdown {
  private readonly handlers = new Map<string, NotificationHandler>();
  private client: Client | null = null;
  /** The connection being established. */
  private attempt: Client | null = null;
  private timer: NodeJS.Timeout | null = null;
  private failures = 0;
  /** One statement after the other, since the driver runs one at a time. Never rejects. */
  private subscribing: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly location: DatabaseLocation,
    private readonly presence: ReplicaPresence,
    private readonly log: Log,
  ) {}

  /** Tries once before the service serves requests, and later retries a failure. Never rejects. */
  async onModuleInit(): Promise<void> {
    await this.connect();
  }

  listen(channel: string, handler: NotificationHandler): void {
    this.handlers.set(channel, handler);
    if (this.client) this.subscribing = this.subscribing.then(() => this.subscribe(channel));
    else this.connectSoon(0);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    for (const client of [this.client, this.attempt]) {
      await client?.end().catch((error: unknown) => this.lost(error));
    }
  }

  private connectSoon(delayMs: number): void {
    if (this.stopped || this.attempt) return;
    if (this.timer) clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.connect(), delayMs);
  }

  private async connect(): Promise<void> {
    const client = new Client({
      connectionString: this.location.listenUrl,
      application_name: 'countersign-listener',
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: HEARTBEAT_TIMEOUT_MS,
    });
    this.attempt = client;
    client.on('error', (error) => this.drop(client, error));
    client.on('end', () => this.drop(client, new Error('the connection ended')));
    client.on('notification', ({ channel, payload }) => this.handlers.get(channel)?.notified(payload ?? ''));
    try {
      await client.connect();
      if (await isPooled(client)) {
        await this.giveUp(client);
        return;
      }
      await this.refuseElsewhere(client);
      await client.query(NOTICE_ABSENCE);
      await client.query(ANNOUNCE_PRESENCE, [this.presence.number]);
      for (const channel of this.handlers.keys())
        await client.query(`listen ${client.escapeIdentifier(channel)}`);
      this.attempt = null;
      if (this.failures > 0)
        this.log.event('info', 'database.listening-again', {}, 'LISTEN connection is back');
      this.failures = 0;
      this.client = client;
      this.presence.announce(true);
      for (const handler of this.handlers.values()) handler.connected();
      this.heartbeatSoon(client);
    } catch (error) {
      this.attempt = null;
      this.drop(client, error);
    }
  }

  /** @throws Error if notifications of `DATABASE_URL` would never come here */
  private async refuseElsewhere(client: Client): Promise<void> {
    const { url, listenUrl } = this.location;
    if (listenUrl === url) return;
    const other = new Client({
      connectionString: url,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: HEARTBEAT_TIMEOUT_MS,
    });
    other.on('error', () => undefined);
    try {
      await other.connect();
      if (!(await isSameDatabase(client, other)))
        throw new Error('DATABASE_LISTEN_URL leads to another database than DATABASE_URL');
    } finally {
      await other.end();
    }
  }

  private async giveUp(client: Client): Promise<void> {
    this.stopped = true;
    this.attempt = null;
    this.log.event(
      'warn',
      'database.listen-pooled',
      {},
      'a pooler stands before PostgreSQL, and LISTEN does not pass through it: waiting calls are answered by the poll, within 5 s; DATABASE_LISTEN_URL may name PostgreSQL itself',
    );
    client.removeAllListeners('end');
    await client.end();
  }

  /** A connection that was lost meanwhile is not needed: the next one subscribes to everything. */
  private async subscribe(channel: string): Promise<void> {
    const { client } = this;
    if (client === null) return;
    try {
      await client.query(`listen ${client.escapeIdentifier(channel)}`);
      this.handlers.get(channel)?.connected();
    } catch (error) {
      this.drop(client, error);
    }
  }

  private heartbeatSoon(client: Client): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      client.query('select 1').then(
        () => this.heartbeatSoon(client),
        (error: unknown) => this.drop(client, error),
      );
    }, HEARTBEAT_MS);
  }

  private drop(client: Client, error: unknown): void {
    if (this.attempt || (this.client !== null && this.client !== client)) return;
    const wasConnected = this.client === client;
    this.client = null;
    this.presence.announce(false);
    client.removeAllListeners();
    client.on('error', () => undefined);
    void client.end().catch((reason: unknown) => this.lost(reason));
    if (this.stopped) return;
    if (wasConnected || this.failures === 0) {
      this.log.event(
        'warn',
        'database.listen-lost',
        { error: describeError(error) },
        'LISTEN connection lost; polling goes on',
      );
    }
    this.connectSoon(Math.min(RECONNECT_MAX_MS, RECONNECT_MIN_MS * 2 ** this.failures++));
  }

  private lost(error: unknown): void {
    this.log.event(
      'debug',
      'database.listen-end-failed',
      { error: describeError(error) },
      'LISTEN connection did not end cleanly',
    );
  }
}
