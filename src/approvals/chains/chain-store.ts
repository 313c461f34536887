import { Injectable } from '@nestjs/common';
import { Database } from '../../database/database';
import { Lanes } from '../../outbox/lanes';
import { LOCK_DUE_STEPS, MENTIONS, RUN_STEPS } from './chain-statements';

/** A step that began, the last one that waits for the end of quiet hours, or a chain whose steps all reach nobody. */
export type StepRun = {
  readonly id: string;
  readonly correlationId: string;
} & (
  | {
      readonly cause: 'time' | 'undeliverable';
      readonly step: number;
      readonly lanes: number;
      /** Lanes of the step that the active policy names no more; null: none. */
      readonly removed: readonly string[] | null;
    }
  | { readonly cause: 'quiet'; readonly step: number; readonly until: Date }
  | { readonly cause: 'unreachable' }
);

/** The steps of chains, which wait in the outbox. */
@Injectable()
export class ChainStore {
  constructor(
    private readonly database: Database,
    private readonly lanes: Lanes,
  ) {}

  /** Names in the `mention` of the newest step that asks in the lane; empty: there is none. */
  async mentions(approvalId: string, lane: string): Promise<readonly string[]> {
    const [row] = await this.database.query<{ names: readonly string[] }>(MENTIONS, [approvalId, lane]);
    return row?.names ?? [];
  }

  /**
   * Runs steps that are due, in one transaction: a crash leaves each as it was, or done.
   *
   * @param quietAt the people who get no direct messages at a time, each with the end of that
   * @returns the steps that began or wait, and the number of those that were looked at
   */
  runDue(
    limit: number,
    quietAt: (at: Date) => ReadonlyMap<string, Date>,
  ): Promise<{ readonly runs: readonly StepRun[]; readonly looked: number }> {
    return this.database.transaction(async (query) => {
      const due = await query<{ id: string; now: Date }>(LOCK_DUE_STEPS, [limit]);
      const [first] = due;
      if (first === undefined) return { runs: [], looked: 0 };
      const ids = due.map(({ id }) => id);
      const quiet = quietAt(first.now);
      const values = [ids, [...quiet.keys()], this.lanes.current, [...quiet.values()]];
      return { runs: await query<StepRun>(RUN_STEPS, values), looked: ids.length };
    });
  }
}
