import { sealAll } from '../../../src/audit/audit-chain';
import { CHECKPOINT_TYPE, NOTHING_BEFORE, type AuditRow, type SealedRow } from '../../../src/audit/seal';
import { verifyChain } from '../../../src/audit/verify-chain';
import { RemovedMeanwhile, unlessRemoved } from '../../../src/audit/walk-chain';
import { HEADER, KEYS, signed } from '../receipts/receipt-samples';

const ROWS = 12;
const BATCH = 3;
/** Retention removes up to here, which a checkpoint covers. */
const BOUNDARY = 8;

const rows = Array.from({ length: ROWS }, (_, i): AuditRow => ({
  seq: i + 1,
  at: '2026-08-01T12:00:00.000000Z',
  type: 'test',
  actor: 'test',
  approvalId: null,
  correlationId: null,
  data: '{}',
}));
const log: SealedRow[] = sealAll({ number: 0, hash: NOTHING_BEFORE }, rows).map((seal, i) => ({
  seal,
  row: rows[i] ?? null,
}));
const checkpointAt = (number: number): string => {
  const seal = log[number - 1]?.seal;
  return signed(
    { iss: 'countersign', number, seq: seal?.seq, hash: seal?.hash, iat: 1 },
    { ...HEADER, typ: CHECKPOINT_TYPE },
  );
};
const checkpoint = checkpointAt(BOUNDARY);

/** A log from which some go once the first batch was read, whoever reads it again. */
function losing(gone: (number: number) => boolean): () => AsyncGenerator<SealedRow[]> {
  let left = log;
  return async function* () {
    for (let after = 0; ;) {
      const batch = left.filter(({ seal }) => seal.number > after).slice(0, BATCH);
      yield await Promise.resolve(batch);
      left = log.filter(({ seal }) => !gone(seal.number));
      if (batch.length < BATCH) return;
      after = batch.at(-1)?.seal.number ?? after;
    }
  };
}

const verify = (batches: () => AsyncIterable<readonly SealedRow[]>) =>
  verifyChain({ batches, checkpoints: [checkpoint], keys: KEYS });

describe('rows that go while they are read', () => {
  it('from the beginning, up to a checkpoint, are retention: what is left holds', async () => {
    const left = await verify(losing((number) => number <= BOUNDARY));
    expect(left).toEqual({
      rows: ROWS - BOUNDARY,
      sealedUpTo: ROWS,
      checkpoints: 1,
      uncovered: ROWS - BOUNDARY,
      firstBad: null,
    });
  });

  it('from the middle are missing, also up to a checkpoint', async () => {
    const { firstBad } = await verify(losing((number) => number > BATCH && number <= BOUNDARY));
    expect(firstBad).toEqual({ seq: BOUNDARY + 1, reason: expect.stringMatching(/missing/) as string });
  });

  it('from the beginning, without a checkpoint up to there, are missing', async () => {
    const { firstBad } = await verify(losing((number) => number < BOUNDARY));
    expect(firstBad).toEqual({ seq: BOUNDARY, reason: expect.stringMatching(/no checkpoint/) as string });
  });

  it('end an export, which could not be verified', async () => {
    const read = async () => {
      for await (const batch of unlessRemoved(losing((number) => number <= BOUNDARY)))
        expect(batch).toHaveLength(BATCH);
    };
    await expect(read()).rejects.toThrow(RemovedMeanwhile);
  });
});

describe('checkpoints', () => {
  async function* whole() {
    yield await Promise.resolve(log);
  }

  it('that fit are counted, and so are the rows that none of them covers', async () => {
    const covered = await verifyChain({ batches: whole, checkpoints: [checkpoint, checkpoint], keys: KEYS });
    expect(covered).toMatchObject({ checkpoints: 1, uncovered: ROWS - BOUNDARY, firstBad: null });
    const bare = await verifyChain({ batches: whole, checkpoints: [], keys: KEYS });
    expect(bare).toMatchObject({ checkpoints: 0, uncovered: ROWS, firstBad: null });
  });

  it('of rows that retention removed before are not counted: nothing is left to compare', async () => {
    const later = checkpointAt(BOUNDARY + 2);
    async function* rest() {
      yield await Promise.resolve(log.slice(BOUNDARY + 2));
    }
    const left = await verifyChain({ batches: rest, checkpoints: [checkpoint, later], keys: KEYS });
    expect(left).toMatchObject({ checkpoints: 1, uncovered: ROWS - BOUNDARY - 2, firstBad: null });
  });
});

it('a key that was retired before the date of a checkpoint covers nothing with it', async () => {
  const retired = { keys: KEYS.keys.map((key) => ({ ...key, exp: 0 })) };
  const rest = async function* () {
    yield await Promise.resolve(log.slice(BOUNDARY));
  };
  const found = await verifyChain({ batches: rest, checkpoints: [checkpoint], keys: retired });
  expect(found).toMatchObject({ checkpoints: 0, firstBad: expect.anything() as unknown });
  expect(await verify(rest)).toMatchObject({ checkpoints: 1, firstBad: null });
});
