import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database/database';
import { AuditCheckpointEntity } from './audit-seals.entities';
import { NOTHING_BEFORE, type AuditRow, type Seal, type SealedRow } from './seal';

/** Rows read and checked at one time: limits memory, and how long other work waits. */
const BATCH = 500;

/** Numbers that one statement compares with their seals, in about ten milliseconds. */
const LOOKED_THROUGH_AT_ONCE = 50_000;

const ROW = `a.seq, to_char(a.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, a.type, a.actor,
  a.approval_id, a.correlation_id, a.data`;

interface AuditColumns {
  seq: string;
  at: string;
  type: string;
  actor: string;
  approval_id: string | null;
  correlation_id: string | null;
  data: string;
}

interface SealColumns {
  number: string;
  sealed_seq: string;
  previous: string;
  hash: string;
}

type FoundColumns = { [Key in keyof AuditColumns]: AuditColumns[Key] | null } & {
  hash: string | null;
  looked_to: string | null;
};

/** Keys pre-sorted so that canonicalize takes its fast path. */
const toRow = (row: AuditColumns): AuditRow => ({
  actor: row.actor,
  approvalId: row.approval_id,
  at: row.at,
  correlationId: row.correlation_id,
  data: row.data,
  seq: Number(row.seq),
  type: row.type,
});

const toSeal = (row: SealColumns): Seal => ({
  number: Number(row.number),
  seq: Number(row.sealed_seq),
  previous: row.previous,
  hash: row.hash,
});

/** Parameters: limit. Looks up each row by itself, for the reason given at {@link SEALED}. */
export const UNSEALED: Statement = {
  name: 'audit-unsealed',
  text: `
  select a.* from (select seq from audit_unsealed order by seq limit $1) u
    cross join lateral (select ${ROW} from audit_log a where a.seq = u.seq offset 0) a
  order by a.seq`,
};

/** Forgets rows that a replica of an earlier version has sealed, which does not know the queue. */
const FORGET_SEALED: Statement = {
  name: 'audit-forget-sealed',
  text: `delete from audit_unsealed u using audit_seals s where s.seq = u.seq`,
};

/** Parameters: after, up to. Does not trust the queue. A scan of the whole log would exceed the statement timeout. */
export const COUNT_UNSEALED: Statement = {
  name: 'audit-count-unsealed',
  text: `
  select count(*)::int as rows from audit_log a where a.seq > $1 and a.seq <= $2
    and not exists (select 1 from audit_seals s where s.seq = a.seq and s.seq > $1 and s.seq <= $2)`,
};

const LAST_SEAL: Statement = {
  name: 'audit-last-seal',
  text: `select number, seq as sealed_seq, previous, hash from audit_seals order by number desc limit 1`,
};

const EXTENT: Statement = {
  name: 'audit-extent',
  text: `select coalesce(min(seq), 1) as lowest, coalesce(max(seq), 0) as highest from audit_log`,
};

/** A second sealer, whose lease has lapsed, violates the primary key here. So no row is sealed twice or in between. */
const SEAL: Statement = {
  name: 'audit-seal',
  text: `
  with taken as (delete from audit_unsealed where seq = any($2::bigint[]))
  insert into audit_seals (number, seq, previous, hash)
  select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[])`,
};

/**
 * Parameters: number, limit. Looks up each row by itself (`offset 0` keeps it so). PostgreSQL does not know how few
 * rows there will be, and would join the whole tables for every page.
 */
export const SEALED: Statement = {
  name: 'audit-sealed',
  text: `
  select s.number, s.seq as sealed_seq, s.previous, s.hash, a.*
  from audit_seals s left join lateral (select ${ROW} from audit_log a where a.seq = s.seq offset 0) as a on true
  where s.number > $1 order by s.number limit $2`,
};

const HASH = `left join lateral (select hash from audit_seals where seq = a.seq offset 0) as s on true`;

/** Parameters: seq, limit. */
export const PAGE: Statement = {
  name: 'audit-page',
  text: `
  select ${ROW}, s.hash from audit_log a ${HASH}
  where a.seq > $1 order by a.seq limit $2`,
};

/** Rows through which one filtered page looks: an index on each column would cost every request of an agent. */
const LOOKED_THROUGH = 20_000;

/**
 * Parameters: before seq, limit, type, actor; null: any. Newest first. `looked_to`: the lowest number through which this
 * page looked; a page without rows can still have older ones.
 */
export const SEARCH: Statement = {
  name: 'audit-search',
  text: `
  with looked as materialized (
    select min(seq) as lowest, count(*) as rows from (
      select seq from audit_log where $1::bigint is null or seq < $1 order by seq desc limit ${LOOKED_THROUGH}) as l
  ), found as materialized (
    select a.* from looked, lateral (
      select * from audit_log where ($1::bigint is null or seq < $1) and seq >= lowest
        and ($3::text is null or type = $3 or type like $3 || '.%') and ($4::text is null or actor = $4)
      order by seq desc limit $2) as a
  )
  select ${ROW}, s.hash, case when looked.rows = ${LOOKED_THROUGH} then lowest end as looked_to
  from looked left join found a on true ${HASH} order by a.seq desc`,
};

/** Parameters: before seq, limit, type, actor, request. */
export const SEARCH_REQUEST: Statement = {
  name: 'audit-search-request',
  text: `
  select ${ROW}, s.hash, null as looked_to
  from audit_log a ${HASH}
  where a.approval_id = $5::uuid and ($1::bigint is null or a.seq < $1)
    and ($3::text is null or a.type = $3 or a.type like $3 || '.%') and ($4::text is null or a.actor = $4)
  order by a.seq desc limit $2`,
};

/** Selects rows of the audit log; null: any. A type also selects those that begin with it and a dot. */
export interface AuditSearch {
  readonly beforeSeq: number | null;
  readonly limit: number;
  readonly type: string | null;
  readonly actor: string | null;
  readonly approvalId: string | null;
}

export interface AuditFound {
  readonly items: readonly (AuditRow & { readonly hash: string | null })[];
  readonly nextBefore: number | null;
}

/** Stores and reads audit rows, their seals and the checkpoints. */
@Injectable()
export class AuditStore {
  constructor(private readonly database: Database) {}

  /** Rows without a seal, the lowest numbers first. */
  async unsealed(limit: number): Promise<AuditRow[]> {
    return (await this.database.query<AuditColumns>(UNSEALED, [limit])).map(toRow);
  }

  /** The lowest and the highest number of a row; 1 and 0 without any. */
  async extent(): Promise<{ lowest: number; highest: number }> {
    const [row] = await this.database.query<{ lowest: string; highest: string }>(EXTENT, []);
    return { lowest: Number(row?.lowest ?? 1), highest: Number(row?.highest ?? 0) };
  }

  /** The end of the chain; before the first seal, one with number 0 that it follows. */
  async lastSeal(): Promise<Seal> {
    await this.database.query(FORGET_SEALED, []);
    const [row] = await this.database.query<SealColumns>(LAST_SEAL, []);
    return row ? toSeal(row) : { number: 0, seq: 0, previous: NOTHING_BEFORE, hash: NOTHING_BEFORE };
  }

  /** Stores all seals or none. @throws when the chain has grown since it was read. */
  async seal(seals: readonly Seal[]): Promise<void> {
    await this.database.query(SEAL, [
      seals.map(({ number }) => number),
      seals.map(({ seq }) => seq),
      seals.map(({ previous }) => previous),
      seals.map(({ hash }) => hash),
    ]);
  }

  /** Seals after this number with their rows, in the order of the chain. */
  async sealed(afterNumber: number, limit: number): Promise<SealedRow[]> {
    const rows = await this.database.query<
      SealColumns & { [Key in keyof AuditColumns]: AuditColumns[Key] | null }
    >(SEALED, [afterNumber, limit]);
    return rows.map((row) => ({
      seal: toSeal(row),
      row: row.seq === null ? null : toRow(row as AuditColumns),
    }));
  }

  /** All seals with their rows, in batches, with a rest of `pauseMs` after each. */
  async *allSealed(pauseMs = 0): AsyncGenerator<readonly SealedRow[]> {
    for (let after = 0; ;) {
      const batch = await this.sealed(after, BATCH);
      yield batch;
      const last = batch.at(-1);
      if (!last || batch.length < BATCH) return;
      after = last.seal.number;
      if (pauseMs > 0) await sleep(pauseMs);
    }
  }

  /** Rows by seq, each with its hash; null until it is sealed. */
  async page(afterSeq: number, limit: number): Promise<(AuditRow & { readonly hash: string | null })[]> {
    const rows = await this.database.query<AuditColumns & { hash: string | null }>(PAGE, [afterSeq, limit]);
    return rows.map((row) => ({ ...toRow(row), hash: row.hash }));
  }

  /**
   * Rows that match, the newest first, from an index or from a bounded number of rows.
   *
   * @returns `nextBefore`: the number before which to go on; null at the end
   */
  async search({ beforeSeq, limit, type, actor, approvalId }: AuditSearch): Promise<AuditFound> {
    const values = [beforeSeq, limit, type, actor];
    const rows = await (approvalId === null
      ? this.database.query<FoundColumns>(SEARCH, values)
      : this.database.query<FoundColumns>(SEARCH_REQUEST, [...values, approvalId]));
    const items = rows.flatMap((row) =>
      row.seq === null ? [] : [{ ...toRow(row as AuditColumns), hash: row.hash }],
    );
    const last = items.at(-1);
    const lookedTo = rows[0]?.looked_to ?? null;
    if (last && items.length === limit) return { items, nextBefore: last.seq };
    return { items, nextBefore: lookedTo === null ? null : Number(lookedTo) };
  }

  /** Counts the rows without a seal. Scans the whole log, a part at a time. */
  async countUnsealed(): Promise<number> {
    const { lowest, highest } = await this.extent();
    let count = 0;
    for (let after = lowest - 1; after < highest; after += LOOKED_THROUGH_AT_ONCE) {
      const upTo = Math.min(after + LOOKED_THROUGH_AT_ONCE, highest);
      const [row] = await this.database.query<{ rows: number }>(COUNT_UNSEALED, [after, upTo]);
      count += row?.rows ?? 0;
    }
    return count;
  }

  /** Records a checkpoint that was written to the file. */
  async recordCheckpoint({ number, hash }: Pick<Seal, 'number' | 'hash'>, jws: string): Promise<void> {
    const checkpoint = { number: String(number), hash, jws, exportedAt: () => 'now()' };
    await this.database.rows(AuditCheckpointEntity, (rows) =>
      rows.createQueryBuilder().insert().values(checkpoint).orIgnore().execute(),
    );
  }

  async checkpointAt(number: number): Promise<string | null> {
    const found = await this.database.rows(AuditCheckpointEntity, (rows) =>
      rows.findOneBy({ number: String(number) }),
    );
    return found?.jws ?? null;
  }

  /** Every exported checkpoint, as signed. */
  async checkpoints(): Promise<string[]> {
    const all = await this.database.rows(AuditCheckpointEntity, (rows) =>
      rows.createQueryBuilder('c').select('c.jws', 'jws').orderBy('c.number').getRawMany<{ jws: string }>(),
    );
    return all.map(({ jws }) => jws);
  }
}
