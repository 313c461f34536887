import { Inject, Injectable } from '@nestjs/common';
import type { Actor, Person } from '../../../kernel/actor';
import { CONFIG, telegramOf, type Config } from '../../../config/environment';
import { ActivePolicy } from '../../../policy/active-policy';
import { Destination } from '../destination';
import { parseLane } from '../lane';

/**
 * The accounts that Telegram names as the sender of messages without a personal id: those of anonymous administrators,
 * of channels, and posts forwarded from a linked channel.
 */
const STAND_INS: ReadonlySet<number> = new Set([1_087_968_824, 136_817_688, 777_000]);

interface ChatLike {
  readonly id: number;
}

interface PersonLike extends ChatLike {
  readonly first_name: string;
}

/** The members of a message that identify its sender. */
interface Written {
  readonly chat: ChatLike;
  readonly from?: PersonLike | undefined;
  readonly sender_chat?: ChatLike | undefined;
}

/** The id is the key of the rate limits. An anonymous sender's id is a chat's and does not identify a person. */
export type Sender =
  | { readonly kind: 'operator'; readonly id: number; readonly name: string; readonly actor: Person }
  | { readonly kind: 'stranger'; readonly id: number; readonly name: string }
  | { readonly kind: 'anonymous'; readonly id: number };

/** Knows the operators, and the chats in which the service answers them. */
@Injectable()
export class People {
  private readonly operators: ReadonlyMap<string, string>;

  constructor(
    private readonly destination: Destination,
    private readonly policy: ActivePolicy,
    @Inject(CONFIG) config: Config,
  ) {
    this.operators = new Map(telegramOf(config).operators.map(({ id, name }) => [id, name]));
  }

  /** Identifies an operator only by the numeric id: names can be changed, and chats are shared. */
  operatorOf(userId: number): Person | null {
    const id = String(userId);
    const { people } = this.policy;
    // Whoever a policy names decides instead of the operators of the configuration.
    const name = people ? people.ofTelegram(userId) : this.operators.get(id);
    return name === undefined || name === null ? null : { kind: 'person', channel: 'telegram', id, name };
  }

  /** The actor with the name from the policy or the configuration, if it is an operator. */
  nameOf(actor: Actor): Actor {
    const isOperator = actor.kind === 'person' && actor.channel === 'telegram';
    return (isOperator ? this.operatorOf(Number(actor.id)) : null) ?? actor;
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

  /** True if the service answers in the chat. Anybody can add the bot to their own group and read its answers there. */
  async answersIn({ id }: ChatLike): Promise<boolean> {
    const isPrivate = id > 0;
    return isPrivate || this.isDestination(String(id)) || (await this.destination.includes(String(id)));
  }

  /** True if a chain of the active policy asks in the chat. */
  isDestination(chatId: string): boolean {
    return this.policy.lanes.some((lane) => parseLane(lane).chatId === chatId);
  }
}
