import { QuorumRaces, settleAsOlderVersion } from '../../support/quorum-races';

/** security.md 25: a quorum counts people and not channels, whatever races on three replicas. */

describe('security 25: quorum counts people, not channels', () => {
  it('settles every race by enough different people, once, with a complete receipt', async () => {
    const races = await QuorumRaces.start(25);
    try {
      await races.run(150);
      expect(Object.keys(races.tally.endings).toSorted()).toEqual(
        expect.arrayContaining(['approved', 'expired', 'rejected']),
      );
      expect(races.tally.refusedToOlder).toBeGreaterThan(0);
      expect(races.tally.settledInAbsence).toBeGreaterThan(0);
      expect(races.errors).toEqual([]);
    } finally {
      await races.close();
    }
  });

  it('lets no replica of a version that knows no quorum settle a request before it is met', async () => {
    const races = await QuorumRaces.start(26);
    try {
      const { database } = races;
      const id = await races.pendingFor('two');
      const older = (by: string) => settleAsOlderVersion(database, id, { kind: 'api', id: by });
      for (const by of ['olivia-laptop', 'tom-laptop', 'nobody'])
        await expect(older(by)).rejects.toThrow('of the required approvals');
      const rows = await database.query('select status from approvals where id = $1', [id]);
      const left = await database.query('select from decisions where approval_id = $1', [id]);
      const signed = await database.query('select from receipts where approval_id = $1', [id]);
      expect([rows, left, signed]).toEqual([[{ status: 'pending' }], [], []]);
    } finally {
      await races.close();
    }
  });
});
