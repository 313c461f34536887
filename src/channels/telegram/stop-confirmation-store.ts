import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../../database/database';

/** Time for the second tap. */
const VALID = `interval '1 minute'`;

/** Parameters: nonce, user, chat. Removes those that nobody can use any more. */
const BEGIN: Statement = {
  name: 'stop-confirmation-begin',
  text: `
  with over as (
    delete from stop_confirmations where created_at < now() - interval '1 hour'
  )
  insert into stop_confirmations (nonce, user_id, chat_id, created_at) values ($1, $2, $3, now())`,
};

/** Parameters: nonce, user, chat. */
const FIND: Statement = {
  name: 'stop-confirmation-find',
  text: `
  select user_id = $2 as "isOwn", created_at > now() - ${VALID} as "isValid"
  from stop_confirmations where nonce = $1 and chat_id = $3`,
};

/** Parameters: nonce. */
const END: Statement = {
  name: 'stop-confirmation-end',
  text: `delete from stop_confirmations where nonce = $1`,
};

export interface StopConfirmation {
  /** True if the same person sent `/stop`. */
  readonly isOwn: boolean;
  /** False once the time for the second tap is over. */
  readonly isValid: boolean;
}

/** The buttons that confirm a stop: each is for one person, in one chat, once. */
@Injectable()
export class StopConfirmationStore {
  constructor(private readonly database: Database) {}

  async begin(nonce: string, userId: string, chatId: string): Promise<void> {
    await this.database.query(BEGIN, [nonce, userId, chatId]);
  }

  async find(nonce: string, userId: string, chatId: string): Promise<StopConfirmation | null> {
    const [found] = await this.database.query<StopConfirmation>(FIND, [nonce, userId, chatId]);
    return found ?? null;
  }

  async end(nonce: string): Promise<void> {
    await this.database.query(END, [nonce]);
  }
}
