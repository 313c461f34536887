import { DataSource } from 'typeorm';
import { applyRules, type Session, type SessionRules } from './session';
import { CreateApprovals1795464000000 } from '../../migrations/1795464000000-CreateApprovals';
import { AddApiKeys1795464000004 } from '../../migrations/1795464000004-AddApiKeys';
import { CountWaitingCallers1795464000007 } from '../../migrations/1795464000007-CountWaitingCallers';
import { CreateEscalation1795464000001 } from '../../migrations/1795464000001-CreateEscalation';
import { AddLanes1795464000002 } from '../../migrations/1795464000002-AddLanes';
import { AddTraceparent1795464000003 } from '../../migrations/1795464000003-AddTraceparent';
import { AddReceipts1795464000005 } from '../../migrations/1795464000005-AddReceipts';
import { AddAuditSeals1795464000006 } from '../../migrations/1795464000006-AddAuditSeals';
import { CountLostDocuments1795464000008 } from '../../migrations/1795464000008-CountLostDocuments';
import { RememberAskerAndHolder1795464000009 } from '../../migrations/1795464000009-RememberAskerAndHolder';
import { IndexHookCalls1795464000011 } from '../../migrations/1795464000011-IndexHookCalls';
import { BoundTooLargeRefusals1795464000015 } from '../../migrations/1795464000015-BoundTooLargeRefusals';
import { AddReplicas1795464000016 } from '../../migrations/1795464000016-AddReplicas';
import { QualifyAuditPrune1795464000017 } from '../../migrations/1795464000017-QualifyAuditPrune';
import { IgnorePruningWithoutTime1795464000018 } from '../../migrations/1795464000018-IgnorePruningWithoutTime';
import { AddTextLanes1795464000019 } from '../../migrations/1795464000019-AddTextLanes';
import { AddDecisions1795464000020 } from '../../migrations/1795464000020-AddDecisions';
import { QueueUnsealedAuditRows1795464000021 } from '../../migrations/1795464000021-QueueUnsealedAuditRows';
import { IndexOpenWork1795464000023 } from '../../migrations/1795464000023-IndexOpenWork';
import { AddPolicy1795464000024 } from '../../migrations/1795464000024-AddPolicy';
import { AddStopConfirmations1795464000025 } from '../../migrations/1795464000025-AddStopConfirmations';
import { AddDigestState1795464000026 } from '../../migrations/1795464000026-AddDigestState';
import { FillAuditQueuePlainly1795464000029 } from '../../migrations/1795464000029-FillAuditQueuePlainly';
import { AddGrants1795464000032 } from '../../migrations/1795464000032-AddGrants';
import { AddPolicyVersionOfReplicas1795464000033 } from '../../migrations/1795464000033-AddPolicyVersionOfReplicas';
import { BindGrants1795464000034 } from '../../migrations/1795464000034-BindGrants';
import { RememberOffers1795464000035 } from '../../migrations/1795464000035-RememberOffers';
import { AddTurns1795464000036 } from '../../migrations/1795464000036-AddTurns';
import { AddCardReplies1795464000038 } from '../../migrations/1795464000038-AddCardReplies';
import { AddAnswers1795464000039 } from '../../migrations/1795464000039-AddAnswers';

import { AddConsoleSessions1795464000043 } from '../../migrations/1795464000043-AddConsoleSessions';
import { AddChains1795464000046 } from '../../migrations/1795464000046-AddChains';
import { AddPeople1795464000045 } from '../../migrations/1795464000045-AddPeople';
import { AddPasskeys1795464000052 } from '../../migrations/1795464000052-AddPasskeys';
import { AddSignedDecisions1795464000053 } from '../../migrations/1795464000053-AddSignedDecisions';
import { AddClaims1795464000060 } from '../../migrations/1795464000060-AddClaims';
import { AddExtensions1795464000061 } from '../../migrations/1795464000061-AddExtensions';
import { AddFatigue1795464000063 } from '../../migrations/1795464000063-AddFatigue';
import { AddRotaOverrides1795464000062 } from '../../migrations/1795464000062-AddRotaOverrides';
import { AddOpenIdConnect1795464000064 } from '../../migrations/1795464000064-AddOpenIdConnect';
import { AddRecords1795464000065 } from '../../migrations/1795464000065-AddRecords';
import { CountLivingPasskeys1795464000067 } from '../../migrations/1795464000067-CountLivingPasskeys';
import { AddCountedTaps1795464000068 } from '../../migrations/1795464000068-AddCountedTaps';
import { AddReaders1795464000069 } from '../../migrations/1795464000069-AddReaders';
import { AddErasures1795464000070 } from '../../migrations/1795464000070-AddErasures';
import { AddOidcProvider1795464000071 } from '../../migrations/1795464000071-AddOidcProvider';
import { AddTopics1795464000012 } from '../../migrations/1795464000012-AddTopics';
import { AddCardPieces1795464000013 } from '../../migrations/1795464000013-AddCardPieces';

/** Connecting fails after five seconds, and the caller gets 503: a request must not hang on a dead database. */
const CONNECT_TIMEOUT_MS = 5_000;
/** None of our statements is long; a long one is a fault. */
const STATEMENT_TIMEOUT_MS = 30_000;
/** People wait for a locked row; they get a "busy" answer before they give up. */
const LOCK_TIMEOUT_MS = 2_000;
/** Our transactions are never idle; a replica that freezes inside one must not keep its locks. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000;
/**
 * PostgreSQL ends a long statement itself. If no answer arrives after this much more, the socket is dead without an
 * error.
 */
const SILENCE_MS = 2_000;

/** A class with TypeORM's decorators. */
export type Entity = new () => object;

/** Timeouts of a connection; null for no limit. */
export interface ConnectionOptions {
  /** Maximum time of a statement; 30 s. */
  readonly statementTimeoutMs?: number | null;
  /** Maximum wait of a statement for a lock; 2 s. */
  readonly lockTimeoutMs?: number | null;
  /** Maximum time of connecting; 5 s. */
  readonly connectTimeoutMs?: number;
  /** PostgreSQL refuses every write. */
  readonly readOnly?: boolean;
  /** Entities whose repositories the caller uses; none. */
  readonly entities?: readonly Entity[];
}

/** Migrations have no time limit: a table may be large, a replica slow. */
export const PATIENT: ConnectionOptions = { statementTimeoutMs: null, lockTimeoutMs: null };

/**
 * Configures the connection to PostgreSQL, for the service, the command line and the migrations, with or without a
 * pooler in between. Does not connect.
 */
export function createDataSource(
  url: string,
  poolSize: number,
  {
    statementTimeoutMs = STATEMENT_TIMEOUT_MS,
    lockTimeoutMs = LOCK_TIMEOUT_MS,
    connectTimeoutMs = CONNECT_TIMEOUT_MS,
    readOnly = false,
    entities = [],
  }: ConnectionOptions = {},
): DataSource {
  const rules: SessionRules = {
    statementTimeoutMs,
    lockTimeoutMs,
    idleInTransactionTimeoutMs: statementTimeoutMs === null ? null : IDLE_IN_TRANSACTION_TIMEOUT_MS,
    readOnly,
  };
  return new DataSource({
    type: 'postgres',
    url,
    poolSize,
    entities: [...entities],
    migrations: [
      CreateApprovals1795464000000,
      CreateEscalation1795464000001,
      AddLanes1795464000002,
      AddTraceparent1795464000003,
      AddApiKeys1795464000004,
      AddReceipts1795464000005,
      AddAuditSeals1795464000006,
      CountWaitingCallers1795464000007,
      CountLostDocuments1795464000008,
      RememberAskerAndHolder1795464000009,
      IndexHookCalls1795464000011,
      AddTopics1795464000012,
      AddCardPieces1795464000013,
      BoundTooLargeRefusals1795464000015,
      AddReplicas1795464000016,
      QualifyAuditPrune1795464000017,
      IgnorePruningWithoutTime1795464000018,
      AddTextLanes1795464000019,
      AddDecisions1795464000020,
      QueueUnsealedAuditRows1795464000021,
      IndexOpenWork1795464000023,
      AddPolicy1795464000024,
      AddStopConfirmations1795464000025,
      AddDigestState1795464000026,
      FillAuditQueuePlainly1795464000029,
      AddGrants1795464000032,
      AddPolicyVersionOfReplicas1795464000033,
      BindGrants1795464000034,
      RememberOffers1795464000035,
      AddTurns1795464000036,
      AddCardReplies1795464000038,
      AddAnswers1795464000039,
      AddConsoleSessions1795464000043,
      AddPeople1795464000045,
      AddChains1795464000046,
      AddPasskeys1795464000052,
      AddSignedDecisions1795464000053,
      AddClaims1795464000060,
      AddExtensions1795464000061,
      AddRotaOverrides1795464000062,
      AddFatigue1795464000063,
      AddOpenIdConnect1795464000064,
      AddRecords1795464000065,
      CountLivingPasskeys1795464000067,
      AddCountedTaps1795464000068,
      AddReaders1795464000069,
      AddErasures1795464000070,
      AddOidcProvider1795464000071,
    ],
    migrationsTransactionMode: 'all',
    applicationName: 'countersign',
    connectTimeoutMS: connectTimeoutMs,
    extra: {
      keepAlive: true,
      ...(statementTimeoutMs !== null && { query_timeout: statementTimeoutMs + SILENCE_MS }),
      onConnect: (session: Session) => applyRules(session, rules),
    },
    // TypeORM's own handler of pool errors would log; the pool replaces the connection by itself.
    poolErrorHandler: () => undefined,
    installExtensions: false,
    logging: false,
  });
}
