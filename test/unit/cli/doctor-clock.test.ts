import { clockCheck } from '../../../src/cli/doctor/checks/clock';
import type { Surroundings } from '../../../src/cli/doctor/surroundings';

/** Surroundings whose database is so far ahead of us. */
const withDatabase = (aheadMs: number): Surroundings =>
  ({
    reached: { database: { query: () => Promise.resolve([{ ms: Date.now() + aheadMs }]) } },
  }) as unknown as Surroundings;

describe('the doctor’s look at the clock', () => {
  it.each([0, 1_000, -1_000])('has nothing to say about %s ms', async (aheadMs) => {
    expect((await clockCheck.examine(withDatabase(aheadMs))).findings).toEqual([]);
  });

  it.each([
    [600_000, /600\.0 s behind/],
    [-600_000, /600\.0 s ahead/],
  ])('warns when the database is %s ms ahead', async (aheadMs, says) => {
    const { findings } = await clockCheck.examine(withDatabase(aheadMs));
    expect(findings).toMatchObject([{ severity: 'warning', message: expect.stringMatching(says) as string }]);
  });
});
