import { ServerResponse, IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { HttpAdapterHost } from '@nestjs/core';
import { UnreadAnswers } from '../../../src/http/unread-answers';
import type { Log } from '../../../src/logging/log';

const LARGE = 'x'.repeat(4 * 1024 * 1024);
/** More than all of them may hold. */
const MANY = 20;

function answer(key = 'a'): ServerResponse {
  const call = new IncomingMessage(new Socket());
  call.headers.authorization = `Bearer ${key}`;
  return new ServerResponse(call);
}
const unreadAnswers = () => new UnreadAnswers({} as HttpAdapterHost, { event: jest.fn() } as unknown as Log);

it('cuts off the answer that is unread for longest', () => {
  const unread = unreadAnswers();
  const [oldest, ...others] = Array.from({ length: MANY }, (_, n) => answer(String(n)));
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

it('a caller that reads nothing has half of the room, and loses only its own answers', () => {
  const unread = unreadAnswers();
  const slow = answer('slow');
  unread.hold(slow, LARGE);
  const greedy = Array.from({ length: MANY }, () => answer('greedy'));
  for (const each of greedy) unread.hold(each, LARGE);
  expect(slow.destroyed).toBe(false);
  expect(greedy.filter(({ destroyed }) => !destroyed)).toEqual(greedy.slice(-8));
});

it('cuts off the file that is sent for longest, when too many are', () => {
  const unread = unreadAnswers();
  const files = Array.from({ length: 65 }, () => answer());
  for (const each of files) unread.holdFile(each);
  expect(files.filter(({ destroyed }) => destroyed)).toEqual(files.slice(0, 1));
});
