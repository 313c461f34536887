import { Check, Column, Entity, Index, PrimaryColumn, PrimaryGeneratedColumn, Unique } from 'typeorm';

/** One piece of Telegram work that must still happen; a finished one is deleted. */
@Entity('outbox')
@Check('ck_outbox_kind', `kind in ('card', 'outcome', 'warning', 'digest', 'notice')`)
@Index('uq_outbox_work', ['approvalId', 'kind'], { unique: true })
@Index('ix_outbox_lane', ['chatId', 'threadId', 'urgency', 'id'], { where: 'dead_at is null' })
export class OutboxEntity {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'pk_outbox',
  })
  id!: string;

  /** Null for what is about the whole chat. */
  @Column('uuid', { name: 'approval_id', nullable: true })
  approvalId!: string | null;

  @Column('text')
  kind!: string;

  @Column('bigint', { name: 'chat_id' })
  chatId!: string;

  /** The topic of a forum; 0 is the chat itself, in a forum its General topic. */
  @Column('bigint', { name: 'thread_id', default: 0 })
  threadId!: string;

  @Column('smallint')
  urgency!: number;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  /** Not before this; while leased, the end of the lease. */
  @Column('timestamptz', { name: 'available_at' })
  availableAt!: Date;

  /** The fencing token: counts up with every lease; only its newest holder may finish the work. */
  @Column('bigint', { name: 'lease_token', default: 0 })
  leaseToken!: string;

  @Column('integer', { default: 0 })
  attempts!: number;

  @Column('timestamptz', { name: 'dead_at', nullable: true })
  deadAt!: Date | null;

  @Column('text', { name: 'last_error', nullable: true })
  lastError!: string | null;

  /** What a digest or notice says, as JSON. */
  @Column('text', { nullable: true })
  data!: string | null;
}

/** One attempt to put an approval before the operators; its message id is unknown until Telegram told it. */
@Entity('cards')
@Unique('uq_cards_nonce', ['nonce'])
@Index('ix_cards_approval', ['approvalId'])
@Index('ix_cards_message', ['chatId', 'messageId'])
@Index('ix_cards_open', ['approvalId'], { where: 'closed_at is null' })
export class CardEntity {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'pk_cards',
  })
  id!: string;

  @Column('uuid', { name: 'approval_id' })
  approvalId!: string;

  @Column('bigint', { name: 'chat_id' })
  chatId!: string;

  @Column('bigint', { name: 'thread_id', default: 0 })
  threadId!: string;

  @Column('text')
  nonce!: string;

  @Column('bigint', { name: 'message_id', nullable: true })
  messageId!: string | null;

  /** Set before a send and cleared when it surely failed: with no message id, its fate is unknown. */
  @Column('timestamptz', { name: 'sending_at', nullable: true })
  sendingAt!: Date | null;

  @Column('bigint', { name: 'document_message_id', nullable: true })
  documentMessageId!: string | null;

  @Column('text', { name: 'document_sha256', nullable: true })
  documentSha256!: string | null;

  /** Uploads of the document whose fate is unknown. */
  @Column('integer', { name: 'documents_lost', default: 0 })
  documentsLost!: number;

  @Column('text', { name: 'display_digest', nullable: true })
  displayDigest!: string | null;

  /** The number of text messages that carry the whole action, where the chat takes no document. */
  @Column('integer', { nullable: true })
  pieces!: number | null;

  /** Of the texts of these messages, joined by newlines. */
  @Column('text', { name: 'pieces_sha256', nullable: true })
  piecesSha256!: string | null;

  /** Of what it shows until its document is there. */
  @Column('text', { name: 'incomplete_digest', nullable: true })
  incompleteDigest!: string | null;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'sent_at', nullable: true })
  sentAt!: Date | null;

  /** When the message came to show the outcome. */
  @Column('timestamptz', { name: 'closed_at', nullable: true })
  closedAt!: Date | null;
}

/** Who does a job that only one replica may do, until when, and what the next holder must know. */
@Entity('leases')
export class LeaseEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_leases' })
  name!: string;

  @Column('text')
  holder!: string;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt!: Date;

  @Column('text', { default: '{}' })
  data!: string;
}

/** One text message of an action that is sent in several, where the chat takes no files. */
@Entity('card_pieces')
export class CardPieceEntity {
  @PrimaryColumn('uuid', { name: 'approval_id', primaryKeyConstraintName: 'pk_card_pieces' })
  approvalId!: string;

  @PrimaryColumn('bigint', { name: 'chat_id', primaryKeyConstraintName: 'pk_card_pieces' })
  chatId!: string;

  /** From 1. */
  @PrimaryColumn('integer', { primaryKeyConstraintName: 'pk_card_pieces' })
  number!: number;

  /** Of its text, lower-case hex. */
  @Column('text')
  sha256!: string;

  /** Set before a send and cleared when it surely failed: with no message id, its fate is unknown. */
  @Column('timestamptz', { name: 'sending_at', nullable: true })
  sendingAt!: Date | null;

  /** Sends whose fate is unknown. */
  @Column('integer', { default: 0 })
  lost!: number;

  @Column('bigint', { name: 'message_id', nullable: true })
  messageId!: string | null;
}

/** One chat that Telegram told to wait: nothing is sent to any of its lanes before `availableAt`. */
@Entity('lanes')
export class LaneEntity {
  @PrimaryColumn('bigint', { name: 'chat_id', primaryKeyConstraintName: 'pk_lanes' })
  chatId!: string;

  /** Used by earlier versions, as is `digestAt`: they know no topics. */
  @Column('integer', { default: 0 })
  failures!: number;

  @Column('timestamptz', { name: 'available_at' })
  availableAt!: Date;

  @Column('timestamptz', { name: 'digest_at', nullable: true })
  digestAt!: Date | null;
}

/** One lane, a chat or a topic: whether it may be written to now, and whether its operators know of a backlog. */
@Entity('lane_states')
export class LaneStateEntity {
  @PrimaryColumn('bigint', { name: 'chat_id', primaryKeyConstraintName: 'pk_lane_states' })
  chatId!: string;

  @PrimaryColumn('bigint', { name: 'thread_id', primaryKeyConstraintName: 'pk_lane_states' })
  threadId!: string;

  /** In a row; the wait after the next one grows with it. */
  @Column('integer', { default: 0 })
  failures!: number;

  @Column('timestamptz', { name: 'available_at' })
  availableAt!: Date;

  /** When the operators were told of the backlog that still stands. */
  @Column('timestamptz', { name: 'digest_at', nullable: true })
  digestAt!: Date | null;
}

/** One group that became a supergroup: it lives on under another id. */
@Entity('chat_moves')
export class ChatMoveEntity {
  @PrimaryColumn('bigint', { name: 'from_chat_id', primaryKeyConstraintName: 'pk_chat_moves' })
  fromChatId!: string;

  @Column('bigint', { name: 'to_chat_id' })
  toChatId!: string;

  @Column('timestamptz', { name: 'moved_at' })
  movedAt!: Date;
}

/** One call that counts against the bot's send budget. */
@Entity('send_slots')
export class SendSlotEntity {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'pk_send_slots',
  })
  id!: string;

  @Column('bigint', { name: 'chat_id' })
  chatId!: string;

  /** When Telegram had it at the latest: in the future while the call runs, the end of the call after it. */
  @Index('ix_send_slots_at')
  @Column('timestamptz')
  at!: Date;

  /** True if it took from the share of its chat that outcomes leave to everything else. */
  @Column('boolean', { default: false })
  shared!: boolean;
}
