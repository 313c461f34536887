import { Injectable, type OnModuleDestroy } from '@nestjs/common';

/** Keeps proxies and clients from closing a quiet connection; they give up after 60 s and more. */
const HEARTBEAT_MS = 15_000;

/** Shares one timer among all open answers: a waiter costs one entry in a set. */
@Injectable()
export class Heartbeats implements OnModuleDestroy {
  private readonly beats = new Set<() => void>();
  private timer: NodeJS.Timeout | null = null;

  /** Calls `beat` every 15 s, the first time within 15 s. @returns a function that stops it. */
  start(beat: () => void): () => void {
    this.beats.add(beat);
    this.timer ??= setInterval(() => this.beatAll(), HEARTBEAT_MS);
    return () => {
      this.beats.delete(beat);
      if (this.beats.size === 0) this.onModuleDestroy();
    };
  }

  onModuleDestroy(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
  }

  private beatAll(): void {
    for (const beat of this.beats) beat();
  }
}
