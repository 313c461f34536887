import { Injectable } from '@nestjs/common';
import { Database } from '../../database/database';
import { LOCK_DUE_STEPS, MENTIONS, RUN_STEPS } from './chain-statements';

/** A step that began, or a chain whose steps all reach nobody. */
export type StepRun = {
  readonly id: string;
  readonly correlationId: string;
} & (
  | { readonly cause: 'time' | 'undeliverable'; readonly step: number; readonly lanes: number }
  | { readonly cause: 'unreachable'; readonly step: null; readonly lanes: number }
);

/** The steps of chains, which wait in the outbox. */
@Injectable()
export class ChainStore {
  constructor(private readonly database: Database) {}

  /** Names in the `mention` of the newest step that asks in the lane; empty: there is none. */
  async mentions(approvalId: string, lane: string): Promise<readonly string[]> {
    const [row] = await this.database.query<{ names: readonly string[] }>(MENTIONS, [approvalId, lane]);
    return row?.names ?? [];
  }

  /**
   * Runs steps that are due, in one transaction: a crash leaves each as it was, or done.
   *
   * @returns the steps that began, and the number of those that were looked at
   */
  runDue(limit: number): Promise<{ readonly runs: readonly StepRun[]; readonly looked: number }> {
    return this.database.transaction(async (query) => {
      const ids = (await query<{ id: string }>(LOCK_DUE_STEPS, [limit])).map(({ id }) => id);
      const runs = ids.length === 0 ? [] : await query<StepRun>(RUN_STEPS, [ids]);
      return { runs, looked: ids.length };
    });
  }
}
