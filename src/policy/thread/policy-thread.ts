import { parentPort, workerData } from 'node:worker_threads';
import { canonicalize } from '../../kernel/canonical-json';
import { checkPolicy } from '../check/check-policy';
import { policyChange } from '../compare/policy-change';
import { readPolicy, readStored } from '../document/read-policy';
import { UnreadableDocument } from '../document/source';
import { compilePolicy, type CompiledPolicy } from '../evaluation/compile-policy';
import { evaluate } from '../evaluation/evaluate';
import type { Regression } from '../replay-result';
import type { PastRequest } from '../request-history';
import type { DecidedRequest } from '../suggest/decided-request';
import { suggestRules, type Suggestions } from '../suggest/suggest-rules';
import type { ToolShapes } from '../tool-shapes';
import type {
  CheckedDocument,
  FromThread,
  Replayed,
  Results,
  ThreadData,
  ToThread,
  Work,
} from './policy-work';

/** Regressions that an answer lists. */
const MAX_REGRESSIONS = 1_000;
/** Decisions that suggestions rest on: the latest of more. */
const MAX_DECISIONS = 20_000;

/** The one work for which this thread was started. */
interface Job {
  read(page: readonly PastRequest[]): void;
  finish(): Results[Work['kind']];
}

class Check implements Job {
  constructor(
    private readonly text: string,
    private readonly active: string | null,
    private readonly shapes: ToolShapes,
  ) {}

  read(): void {
    // A check reads no requests.
  }

  finish(): CheckedDocument {
    const { ok, findings, policy: read } = checkPolicy(this.text, this.shapes);
    if (read === null) return { ok, findings, read };
    const active = this.active === null ? null : readStored(this.active);
    const change = policyChange(active, read.policy);
    return {
      ok,
      findings,
      read: {
        version: read.version,
        document: canonicalize(read.source.value),
        change,
        needsSecondPerson: change.widens && active?.changes?.widening === 2,
      },
    };
  }
}

class Replay implements Job {
  private readonly counts = { allow: 0, deny: 0, ask: 0 };
  private readonly byRule: Map<string, number>;
  private readonly regressions: Regression[] = [];

  constructor(private readonly policy: CompiledPolicy) {
    this.byRule = new Map(policy.rules.map(({ id }) => [id, 0]));
  }

  read(page: readonly PastRequest[]): void {
    for (const { id, request, at, decided } of page) {
      const { decision, rules } = evaluate(this.policy, request, at);
      this.counts[decision] += 1;
      for (const rule of rules) this.byRule.set(rule, (this.byRule.get(rule) ?? 0) + 1);
      if (decision !== 'allow' || decided?.verdict !== 'rejected') continue;
      if (this.regressions.length < MAX_REGRESSIONS)
        this.regressions.push({ approvalId: id, rule: rules.join(', '), rejectedBy: decided.by });
    }
  }

  finish(): Replayed {
    const { counts, regressions } = this;
    const requests = counts.allow + counts.deny + counts.ask;
    return { result: { requests, ...counts, byRule: Object.fromEntries(this.byRule), regressions } };
  }
}

/** The replay of a document that cannot be read. */
class Refusal implements Job {
  constructor(private readonly findings: UnreadableDocument['findings']) {}

  read(): void {
    // Nothing is replayed.
  }

  finish(): Replayed {
    return { findings: this.findings };
  }
}

class Suggest implements Job {
  private readonly decisions: DecidedRequest[] = [];

  constructor(
    private readonly active: string | null,
    private readonly shapes: ToolShapes,
  ) {}

  read(page: readonly PastRequest[]): void {
    for (const { request, at, decided } of page)
      if (decided) this.decisions.push({ request, at, verdict: decided.verdict });
    this.decisions.splice(0, this.decisions.length - MAX_DECISIONS);
  }

  finish(): Suggestions {
    return suggestRules(
      this.decisions,
      this.shapes,
      this.active === null ? undefined : readStored(this.active),
    );
  }
}

function begin(work: Work, shapes: ToolShapes): Job {
  switch (work.kind) {
    case 'check':
      return new Check(work.text, work.active, shapes);
    case 'suggest':
      return new Suggest(work.active, shapes);
    case 'replay':
      try {
        return new Replay(compilePolicy(readPolicy(work.text), shapes));
      } catch (error) {
        if (error instanceof UnreadableDocument) return new Refusal(error.findings);
        throw error;
      }
  }
}

const { work, shapes } = workerData as ThreadData;
const job = begin(work, shapes);
parentPort?.on('message', (page: ToThread) => {
  if (page === null) answer({ kind: 'done', result: job.finish() });
  else {
    job.read(page);
    answer({ kind: 'read' });
  }
});

function answer(message: FromThread): void {
  parentPort?.postMessage(message);
}
