import { ApiKeyEntity } from './access/api-key.entity';
import { ApprovalEntity } from './approvals/approval.entity';
import { AuditEntryEntity } from './audit/audit-entry.entity';
import { AuditCheckpointEntity, AuditSealEntity } from './audit/audit-seals.entities';
import {
  CardEntity,
  CardPieceEntity,
  ChatMoveEntity,
  LaneEntity,
  LaneStateEntity,
  LeaseEntity,
  OutboxEntity,
  SendSlotEntity,
} from './channels/escalation.entities';
import type { Entity } from './database/data-source';
import { ReplicaEntity } from './database/replica.entity';
import { ReceiptEntity, SigningKeyEntity } from './receipts/receipts.entities';

/** Every table of the schema; a test compares them with what the migrations make. */
export const ENTITIES: readonly Entity[] = [
  ApprovalEntity,
  AuditEntryEntity,
  AuditSealEntity,
  AuditCheckpointEntity,
  OutboxEntity,
  CardEntity,
  CardPieceEntity,
  LeaseEntity,
  LaneEntity,
  LaneStateEntity,
  ChatMoveEntity,
  SendSlotEntity,
  ApiKeyEntity,
  SigningKeyEntity,
  ReceiptEntity,
  ReplicaEntity,
];
