import { ServerResponse, IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { HttpAdapterHost } from '@nestjs/core';
import { UnreadAnswers } from '../../../src/http/unread-answers';
import type { Log } from '../../../src/logging/log';

const LARGE = 'x'.repeat(4 * 1024 * 1024);
/** More than all of them may hold. */
const MANY = 20;

const answer = () => new ServerResponse(new IncomingMessage(new Socket()));
const unreadAnswers = () => new UnreadAnswers({} as HttpAdapterHost, { event: jest.fn() } as unknown as Log);

it('cuts off the answer that is unread for longest', () => {
  const unread = unreadAnswers();
  const [oldest, ...others] = Array.from({ length: MANY }, answer);
  for (const each of [oldest, ...others]) if (each) unread.hold(each, LARGE);
  expect(oldest?.destroyed).toBe(true);
  expect(others.at(-1)?.destroyed).toBe(false);
});

it('an answer whose caller has gone takes no room from one that is slowly read', () => {
  const unread = unreadAnswers();
  const slow = answer();
  unread.hold(slow, LARGE);
  for (let n = 0; n < MANY; n++) {
    const gone = answer();
    gone.destroy();
    unread.hold(gone, LARGE);
  }
  expect(slow.destroyed).toBe(false);
});
