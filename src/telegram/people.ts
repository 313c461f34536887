import { Inject, Injectable } from '@nestjs/common';
import type { Actor } from '../approvals/approval';
import { CONFIG, telegramOf, type Config } from '../config/environment';
import { Destination } from '../escalation/destination';

/**
 * The accounts under which Telegram shows messages of those who have no id of their own there: anonymous
 * administrators, channels, and posts that are forwarded from a linked channel.
 */
const STAND_INS: ReadonlySet<number> = new Set([1_087_968_824, 136_817_688, 777_000]);

interface ChatLike {
  readonly id: number;
}

interface PersonLike extends ChatLike {
  readonly first_name: string;
}

/** A message as far as it tells who wrote it. */
interface Written {
  readonly chat: ChatLike;
  readonly from?: PersonLike | undefined;
  readonly sender_chat?: ChatLike | undefined;
}

/** An id is what answers are counted by. An anonymous sender's is a chat's, which says nothing about a person. */
export type Sender =
  | { readonly kind: 'operator'; readonly id: number; readonly name: string; readonly actor: Actor }
  | { readonly kind: 'stranger'; readonly id: number; readonly name: string }
  | { readonly kind: 'anonymous'; readonly id: number };

/** Knows the operators, and where they are answered. */
@Injectable()
export class People {
  private readonly operators: ReadonlyMap<string, string>;

  constructor(
    private readonly destination: Destination,
    @Inject(CONFIG) config: Config,
  ) {
    this.operators = new Map(telegramOf(config).operators.map(({ id, name }) => [id, name]));
  }

  /** Known by the numeric id and nothing else: names can be taken, chats are shared. */
  operatorOf(userId: number): Actor | null {
    const id = String(userId);
    const name = this.operators.get(id);
    return name === undefined ? null : { kind: 'telegram', id, name };
  }

  isStandIn(userId: number): boolean {
    return STAND_INS.has(userId);
  }

  senderOf({ from, sender_chat: as, chat }: Written): Sender {
    if (as || !from || this.isStandIn(from.id)) return { kind: 'anonymous', id: (as ?? chat).id };
    const actor = this.operatorOf(from.id);
    if (actor) return { kind: 'operator', id: from.id, name: actor.name, actor };
    return { kind: 'stranger', id: from.id, name: from.first_name };
  }

  /** Anybody can add the bot to a group of their own, where everybody would read what an operator is told. */
  async answersIn({ id }: ChatLike): Promise<boolean> {
    const isPrivate = id > 0;
    return isPrivate || (await this.destination.includes(String(id)));
  }
}
