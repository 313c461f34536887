import { ApiKeyEntity } from './access/api-key.entity';
import { ConsoleLinkEntity, ConsoleSessionEntity } from './access/sessions/session.entities';
import { ApprovalEntity } from './approvals/approval.entity';
import { DecisionEntity } from './approvals/decision.entity';
import { DigestStateEntity } from './approvals/digest/digest-state.entity';
import { FatigueStateEntity, FatigueWarningEntity } from './approvals/fatigue/fatigue.entities';
import {
  ApprovalWordsEntity,
  InsightHourEntity,
  RecordStateEntity,
  RecordWaitingEntity,
} from './approvals/records/record.entities';
import { AuditEntryEntity } from './audit/audit-entry.entity';
import { AuditCheckpointEntity, AuditSealEntity, UnsealedAuditRowEntity } from './audit/audit-seals.entities';
import {
  CardEntity,
  CardPieceEntity,
  CardReplyEntity,
  ChatMoveEntity,
  CountedTapEntity,
  LaneEntity,
  SendSlotEntity,
  StopConfirmationEntity,
  TurnEntity,
} from './channels/telegram/telegram.entities';
import type { Entity } from './database/data-source';
import { LeaseEntity } from './database/lease.entity';
import { ReplicaEntity } from './database/replica.entity';
import { LaneStateEntity, OutboxEntity, OutboxLaneEntity } from './outbox/outbox.entities';
import { OidcProviderEntity } from './people/oidc/oidc-provider.entity';
import { OidcSignInEntity } from './people/oidc/oidc-sign-in.entity';
import {
  PasskeyChallengeEntity,
  PasskeyEntity,
  PasskeyInviteEntity,
} from './people/passkeys/passkey.entities';
import { DirectLaneEntity, PersonEntity } from './people/people.entities';
import { GrantEntity } from './policy/grants/grant.entity';
import { RotaOverrideEntity } from './policy/on-call/rota-override.entity';
import {
  PolicyActivationEntity,
  PolicyProposalEntity,
  PolicyStateEntity,
  PolicyVersionEntity,
} from './policy/policy.entities';
import { ReceiptEntity, SigningKeyEntity } from './receipts/receipts.entities';

/** Every table of the schema; a test compares them with what the migrations make. */
export const ENTITIES: readonly Entity[] = [
  ApprovalEntity,
  DecisionEntity,
  DigestStateEntity,
  FatigueStateEntity,
  FatigueWarningEntity,
  RecordStateEntity,
  RecordWaitingEntity,
  InsightHourEntity,
  ApprovalWordsEntity,
  AuditEntryEntity,
  AuditSealEntity,
  AuditCheckpointEntity,
  UnsealedAuditRowEntity,
  OutboxEntity,
  OutboxLaneEntity,
  CardEntity,
  CardPieceEntity,
  CardReplyEntity,
  LeaseEntity,
  LaneEntity,
  LaneStateEntity,
  ChatMoveEntity,
  CountedTapEntity,
  SendSlotEntity,
  StopConfirmationEntity,
  TurnEntity,
  ApiKeyEntity,
  ConsoleSessionEntity,
  ConsoleLinkEntity,
  SigningKeyEntity,
  ReceiptEntity,
  ReplicaEntity,
  PersonEntity,
  PasskeyEntity,
  PasskeyInviteEntity,
  OidcProviderEntity,
  OidcSignInEntity,
  PasskeyChallengeEntity,
  DirectLaneEntity,
  PolicyVersionEntity,
  PolicyActivationEntity,
  PolicyStateEntity,
  PolicyProposalEntity,
  GrantEntity,
  RotaOverrideEntity,
];
