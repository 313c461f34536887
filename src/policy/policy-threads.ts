import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '../kernel/errors';
import { KeyBulkheads } from '../resilience/key-bulkheads';
import { PolicyInvalid } from './policy-refusals';
import type { ReplayResult } from './replay-result';
import type { PastRequest } from './request-history';
import type { Suggestions } from './suggest/suggest-rules';
import type {
  AcceptedDocument,
  CheckedDocument,
  FromThread,
  Results,
  ThreadData,
  ToThread,
  Work,
} from './thread/policy-work';
import { AGENT_TOOLS, type ToolShapes } from './tool-shapes';

/** Time for one answer of a thread. The check of 2 000 rules takes a tenth of it on a slow machine. */
const ANSWER_WITHIN_MS = 30_000;
const MAX_MEMORY_MB = 512;
const MAX_WAITING = 10;

/** Pages of stored requests. */
type Pages = AsyncIterable<readonly PastRequest[]>;

/** The limits of a thread; tests choose others. */
export const THREAD_LIMITS = Symbol('the limits of a thread');
export interface ThreadLimits {
  readonly answerWithinMs: number;
  readonly maxMemoryMb: number;
}
export const DEFAULT_LIMITS: ThreadLimits = { answerWithinMs: ANSWER_WITHIN_MS, maxMemoryMb: MAX_MEMORY_MB };

/**
 * Does the work on documents of callers and on stored requests in threads: to read YAML takes a second for a large document,
 * and the event loop serves the agents meanwhile. At most two run, one for documents and one for histories.
 */
@Injectable()
export class PolicyThreads {
  private readonly lanes = new KeyBulkheads('documents and replays of policies', 1, MAX_WAITING, () => false);

  constructor(
    @Inject(AGENT_TOOLS) private readonly shapes: ToolShapes,
    @Inject(THREAD_LIMITS) private readonly limits: ThreadLimits,
  ) {}

  check(text: string, active: string | null = null): Promise<CheckedDocument> {
    return this.run({ kind: 'check', text, active }, none());
  }

  /** Reads a document that shall become active. Rejects with PolicyInvalid for one with errors. */
  async accept(text: string, active: string | null): Promise<AcceptedDocument> {
    const { ok, read, findings } = await this.check(text, active);
    if (!ok || read === null) throw new PolicyInvalid(findings);
    return read;
  }

  /** Rejects with PolicyInvalid for a document that cannot be read. */
  async replay(text: string, pages: Pages): Promise<ReplayResult> {
    const replayed = await this.run({ kind: 'replay', text }, pages);
    if ('findings' in replayed) throw new PolicyInvalid(replayed.findings);
    return replayed.result;
  }

  suggest(active: string | null, pages: Pages): Promise<Suggestions> {
    return this.run({ kind: 'suggest', active }, pages);
  }

  /** Rejects with RateLimited while too much work waits. */
  private async run<Kind extends Work['kind']>(
    work: Work & { readonly kind: Kind },
    pages: Pages,
  ): Promise<Results[Kind]> {
    const lane = work.kind === 'check' ? 'documents' : 'histories';
    return (await this.lanes.take(lane, () => this.runInThread(work, pages))) as Results[Kind];
  }

  private async runInThread(work: Work, pages: Pages): Promise<Results[Work['kind']]> {
    const thread = new Thread({ work, shapes: this.shapes }, this.limits);
    try {
      // The next page is read from the database while the thread works on this one.
      let answered: Promise<unknown> = Promise.resolve();
      for await (const page of pages) {
        await answered;
        answered = thread.ask(page);
        answered.catch(() => undefined);
      }
      await answered;
      const answer = await thread.ask(null);
      if (answer.kind !== 'done') throw new Error('The thread did not finish.');
      return answer.result;
    } finally {
      await thread.end();
    }
  }
}

class Thread {
  private readonly worker: Worker;
  private readonly failed: Promise<never>;

  constructor(
    data: ThreadData,
    private readonly limits: ThreadLimits,
  ) {
    this.worker = new Worker(require.resolve('#policy-thread'), {
      workerData: data,
      resourceLimits: { maxOldGenerationSizeMb: limits.maxMemoryMb },
    });
    this.failed = new Promise((_resolve, reject) => {
      this.worker.once('error', (error) => reject(unfinished(error, limits)));
      this.worker.once('exit', () => reject(unfinished(new Error('The thread ended.'), limits)));
    });
    this.failed.catch(() => undefined);
  }

  /** Rejects with `policy.unfinished` if the thread fails, ends, or takes too long. */
  async ask(page: ToThread): Promise<FromThread> {
    const signal = AbortSignal.timeout(this.limits.answerWithinMs);
    const message = once(this.worker, 'message', { signal });
    this.worker.postMessage(page);
    try {
      const [answer] = (await Promise.race([message, this.failed])) as [FromThread];
      return answer;
    } catch (error) {
      throw error instanceof DomainError ? error : unfinished(error, this.limits);
    }
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }
}

function unfinished(cause: unknown, { answerWithinMs, maxMemoryMb }: ThreadLimits): DomainError {
  const { name, code } = cause as { readonly name?: unknown; readonly code?: unknown };
  const isTooCostly = name === 'AbortError' || code === 'ERR_WORKER_OUT_OF_MEMORY';
  const words = isTooCostly
    ? `It takes more than ${answerWithinMs / 1000} s or ${maxMemoryMb} MiB. Say the same with fewer rules, or replay a shorter time.`
    : 'The thread that works on policies failed. Try again; the log of the service has the cause.';
  return new DomainError('policy.unfinished', words, { cause });
}

async function* none(): AsyncGenerator<readonly PastRequest[]> {}
