import { Check, Column, Entity, Index, PrimaryColumn, PrimaryGeneratedColumn, Unique } from 'typeorm';

/** One attempt to show an approval to the operators; its message id is unknown until Telegram answers. */
@Entity('cards')
@Unique('uq_cards_nonce', ['nonce'])
@Index('ix_cards_approval', ['approvalId'])
@Index('ix_cards_message', ['chatId', 'messageId'])
@Index('ix_cards_open', ['approvalId'], { where: 'closed_at is null' })
@Index('ix_cards_turn', ['turnId'], { where: 'turn_id is not null' })
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

  /** Set before a send and cleared if it certainly failed. If set without a message id, the outcome is unknown. */
  @Column('timestamptz', { name: 'sending_at', nullable: true })
  sendingAt!: Date | null;

  /** Message of the last file, once all files are in the chat. */
  @Column('bigint', { name: 'document_message_id', nullable: true })
  documentMessageId!: string | null;

  /** Digest of the files that are in the chat: of one file its own; of several, of their digests joined by newlines. */
  @Column('text', { name: 'document_sha256', nullable: true })
  documentSha256!: string | null;

  /** Number of uploads of the next file with an unknown outcome. */
  @Column('integer', { name: 'documents_lost', default: 0 })
  documentsLost!: number;

  @Column('text', { name: 'display_digest', nullable: true })
  displayDigest!: string | null;

  /** The number of text messages with the whole action, if the chat accepts no document. */
  @Column('integer', { nullable: true })
  pieces!: number | null;

  /** Digest of the texts of these messages, joined by newlines. */
  @Column('text', { name: 'pieces_sha256', nullable: true })
  piecesSha256!: string | null;

  /** Digest of the card before its document is uploaded. */
  @Column('text', { name: 'incomplete_digest', nullable: true })
  incompleteDigest!: string | null;

  /** The messages that offer grants from the card and still have buttons. */
  @Column('bigint', { name: 'offer_message_ids', array: true, nullable: true })
  offerMessageIds!: string[] | null;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'sent_at', nullable: true })
  sentAt!: Date | null;

  /** Time at which the message was edited to show the outcome. */
  @Column('timestamptz', { name: 'closed_at', nullable: true })
  closedAt!: Date | null;

  /** The turn that its call is part of; null: of none. */
  @Column('bigint', { name: 'turn_id', nullable: true })
  turnId!: string | null;

  /** Its number in the turn, from 1. */
  @Column('integer', { name: 'turn_number', nullable: true })
  turnNumber!: number | null;

  /** True while the buttons of the turn's summary decide about it. */
  @Column('boolean', { name: 'in_turn', default: false })
  inTurn!: boolean;
}

/** Several calls of a session, and the message that summarises them. */
@Entity('turns')
@Unique('uq_turns_nonce', ['nonce'])
@Check('ck_turns_sends', 'sends between 0 and 2')
@Index('ix_turns_approval', ['approvalId'])
@Index('ix_turns_message', ['chatId', 'messageId'])
@Index('ix_turns_open', ['chatId'], { where: 'closed_at is null' })
export class TurnEntity {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'pk_turns',
  })
  id!: string;

  /** Its first call. */
  @Column('uuid', { name: 'approval_id' })
  approvalId!: string;

  @Column('bigint', { name: 'chat_id' })
  chatId!: string;

  @Column('bigint', { name: 'thread_id', default: 0 })
  threadId!: string;

  @Column('text')
  nonce!: string;

  /** Null until Telegram's answer or a tap reveals it. */
  @Column('bigint', { name: 'message_id', nullable: true })
  messageId!: string | null;

  /** Sends that did not certainly fail. */
  @Column('integer', { default: 0 })
  sends!: number;

  /** Set before a call that shows it, and cleared when the call has ended. */
  @Column('timestamptz', { name: 'sending_at', nullable: true })
  sendingAt!: Date | null;

  /** Digest of the text and buttons that the message certainly shows, lower-case hex; null: unknown. */
  @Column('text', { nullable: true })
  shown!: string | null;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  /** Time at which nothing was left to show. */
  @Column('timestamptz', { name: 'closed_at', nullable: true })
  closedAt!: Date | null;
}

/** One of several text messages of an action, for a chat that accepts no files. */
@Entity('card_pieces')
export class CardPieceEntity {
  @PrimaryColumn('uuid', { name: 'approval_id', primaryKeyConstraintName: 'pk_card_pieces' })
  approvalId!: string;

  @PrimaryColumn('bigint', { name: 'chat_id', primaryKeyConstraintName: 'pk_card_pieces' })
  chatId!: string;

  /** Counts from 1. */
  @PrimaryColumn('integer', { primaryKeyConstraintName: 'pk_card_pieces' })
  number!: number;

  /** Digest of its text, lower-case hex. */
  @Column('text')
  sha256!: string;

  /** Set before a send and cleared if it certainly failed. If set without a message id, the outcome is unknown. */
  @Column('timestamptz', { name: 'sending_at', nullable: true })
  sendingAt!: Date | null;

  /** Number of sends with an unknown outcome. */
  @Column('integer', { default: 0 })
  lost!: number;

  @Column('bigint', { name: 'message_id', nullable: true })
  messageId!: string | null;
}

/** One chat with a wait from Telegram: nothing is sent to any of its lanes before `availableAt`. */
@Entity('lanes')
export class LaneEntity {
  @PrimaryColumn('bigint', { name: 'chat_id', primaryKeyConstraintName: 'pk_lanes' })
  chatId!: string;

  /** Used only by earlier versions without topics, like `digestAt`. */
  @Column('integer', { default: 0 })
  failures!: number;

  @Column('timestamptz', { name: 'available_at' })
  availableAt!: Date;

  @Column('timestamptz', { name: 'digest_at', nullable: true })
  digestAt!: Date | null;
}

/** One group that became a supergroup and so has a new id. */
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

  /** Latest time at which Telegram received the call: in the future while it runs, then the end of the call. */
  @Index('ix_send_slots_at')
  @Column('timestamptz')
  at!: Date;

  /** True if the call used the share of its chat that is not reserved for outcomes. */
  @Column('boolean', { default: false })
  shared!: boolean;
}

/** Words that an operator wrote in reply to a pending card, with the nonce of the buttons that send them. */
@Entity('card_replies')
export class CardReplyEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_card_replies' })
  nonce!: string;

  @Index('ix_card_replies_approval')
  @Column('uuid', { name: 'approval_id' })
  approvalId!: string;

  @Column('bigint', { name: 'card_id' })
  cardId!: string;

  /** The writer, who alone may send them. */
  @Column('bigint', { name: 'user_id' })
  userId!: string;

  @Column('text')
  words!: string;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;
}

/** One tap that counted, or took a decision back, while its request went on waiting. */
@Entity('counted_taps')
export class CountedTapEntity {
  @PrimaryColumn('text', { name: 'query_id', primaryKeyConstraintName: 'pk_counted_taps' })
  queryId!: string;

  @Column('timestamptz', { name: 'counted_at' })
  countedAt!: Date;
}

/** One button that confirms a stop of the policy. */
@Entity('stop_confirmations')
export class StopConfirmationEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_stop_confirmations' })
  nonce!: string;

  /** The person who sent `/stop`, and who alone may confirm it. */
  @Column('bigint', { name: 'user_id' })
  userId!: string;

  @Column('bigint', { name: 'chat_id' })
  chatId!: string;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;
}
