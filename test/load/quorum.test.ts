import { QuorumRaces } from '../support/quorum-races';

/** Another seed by the environment makes other races; a failure names the request. */
const SEED = Number(process.env.QUORUM_SEED ?? 7);
const RACES = Number(process.env.QUORUM_RACES ?? 10_000);
const WITHIN_MS = 3_600_000;

it(
  `security 25: ${RACES} races on three replicas are settled by enough different people, once, with a complete receipt`,
  async () => {
    const races = await QuorumRaces.start(SEED);
    try {
      await races.run(RACES);
      console.log(`seed ${SEED}: ${JSON.stringify(races.tally)}`);
      expect(races.tally.refusedToOlder).toBeGreaterThan(0);
      expect(races.tally.settledInAbsence).toBeGreaterThan(0);
      expect(races.errors).toEqual([]);
    } finally {
      await races.close();
    }
  },
  WITHIN_MS,
);
