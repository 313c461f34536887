import { z } from 'zod';
import { firstIssue, isRecord } from '../bot-api/bot-api-answers';

/** Update ids are 32-bit; a larger offset would confirm taps that were never received. */
const MAX_UPDATE_ID = 2 ** 31 - 1;

const user = z.looseObject({ id: z.int(), first_name: z.string().default('') });
const chat = z.looseObject({ id: z.int() });
const message = z.looseObject({ message_id: z.int(), chat });

/**
 * The members of an update that handlers rely on. Telegram adds members at any time, so anything else passes.
 *
 * Source: core.telegram.org/bots/api#update.
 */
const updateSchema = z.looseObject({
  update_id: z.int().nonnegative().max(MAX_UPDATE_ID),
  message: message
    .extend({
      from: user.optional(),
      sender_chat: chat.optional(),
      text: z.string().optional(),
      entities: z.array(z.looseObject({ type: z.string(), offset: z.int(), length: z.int() })).optional(),
      reply_to_message: z.looseObject({ message_id: z.int() }).optional(),
    })
    .optional(),
  callback_query: z
    .looseObject({
      id: z.string().min(1),
      from: user,
      message: message.optional(),
      data: z.string().optional(),
    })
    .optional(),
  my_chat_member: z.looseObject({ chat, from: user }).optional(),
});

export type ReadableUpdate = z.infer<typeof updateSchema>;

/** A malformed update; `id` is null if it has no valid id. */
export interface UnreadableUpdate {
  readonly id: number | null;
  readonly why: string;
}

export type ParsedUpdate =
  | { readonly update: ReadableUpdate; readonly unreadable?: never }
  | { readonly update?: never; readonly unreadable: UnreadableUpdate };

export function parseUpdate(value: unknown): ParsedUpdate {
  const parsed = updateSchema.safeParse(value);
  if (parsed.success) return { update: parsed.data };
  const id = updateSchema.shape.update_id.safeParse(isRecord(value) ? value.update_id : undefined);
  return { unreadable: { id: id.success ? id.data : null, why: firstIssue(parsed.error) } };
}
