import { Inject } from '@nestjs/common';
import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { readPolicy } from '../document/read-policy';
import { UnreadableDocument } from '../document/source';
import { compilePolicy, type CompiledPolicy } from '../evaluation/compile-policy';
import { evaluate } from '../evaluation/evaluate';
import { PolicyInvalid } from '../policy-refusals';
import { RequestHistory } from '../request-history';
import { AGENT_TOOLS, type ToolShapes } from '../tool-shapes';

/** Regressions that an answer lists; the count covers all. */
const MAX_REGRESSIONS = 1_000;

/** A request that a person rejected and the document would allow. */
export interface Regression {
  readonly approvalId: string;
  readonly rule: string;
  readonly rejectedBy: string;
}

export interface ReplayResult {
  readonly requests: number;
  readonly allow: number;
  readonly deny: number;
  readonly ask: number;
  /** Number of requests that each rule decides, alone or with others. */
  readonly byRule: Readonly<Record<string, number>>;
  readonly regressions: readonly Regression[];
}

/** Replays the stored requests against a document. Rejects with `policy.invalid`. */
export class TestPolicyQuery extends Query<ReplayResult> {
  constructor(
    readonly text: string,
    readonly since: Date,
  ) {
    super();
  }
}

@QueryHandler(TestPolicyQuery)
export class TestPolicyHandler implements IQueryHandler<TestPolicyQuery> {
  constructor(
    private readonly history: RequestHistory,
    @Inject(AGENT_TOOLS) private readonly shapes: ToolShapes,
  ) {}

  async execute({ text, since }: TestPolicyQuery): Promise<ReplayResult> {
    const policy = this.compile(text);
    const counts = { allow: 0, deny: 0, ask: 0 };
    const byRule = new Map(policy.rules.map(({ id }) => [id, 0]));
    const regressions: Regression[] = [];
    for await (const page of this.history.since(since)) {
      for (const { id, request, at, decided } of page) {
        const { decision, rules } = evaluate(policy, request, at);
        counts[decision] += 1;
        for (const rule of rules) byRule.set(rule, (byRule.get(rule) ?? 0) + 1);
        if (decision !== 'allow' || decided?.verdict !== 'rejected') continue;
        if (regressions.length < MAX_REGRESSIONS)
          regressions.push({ approvalId: id, rule: rules.join(', '), rejectedBy: decided.by });
      }
    }
    const requests = counts.allow + counts.deny + counts.ask;
    return { requests, ...counts, byRule: Object.fromEntries(byRule), regressions };
  }

  private compile(text: string): CompiledPolicy {
    try {
      return compilePolicy(readPolicy(text), this.shapes);
    } catch (error) {
      throw error instanceof UnreadableDocument ? new PolicyInvalid(error.findings) : error;
    }
  }
}
