import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { OpenBodies, type OpenBody } from '../../../src/access/open-bodies';

const answer = () => new EventEmitter() as unknown as ServerResponse;

/** A body that is being read, and whether it was cut off. */
function begin(bodies: OpenBodies, sender: string, to = answer()) {
  const body: OpenBody = bodies.open(sender, to);
  const state = { body, to, cut: false, close: () => to.emit('close') };
  body.cut = () => (state.cut = true);
  return state;
}

it('cuts off the oldest incomplete body when there is too much of all', () => {
  const bodies = new OpenBodies(100);
  const all = ['a', 'b', 'c'].map((sender) => begin(bodies, sender));
  const [first, second, third] = all;
  for (const each of all.slice(0, 2)) expect(bodies.grow(each.body, 45)).toBe(true);
  expect(third && bodies.grow(third.body, 20)).toBe(true);
  expect([first?.cut, second?.cut, third?.cut]).toEqual([true, false, false]);
});

it('one sender takes half of the room, and costs nobody else', () => {
  const bodies = new OpenBodies(100);
  const neighbour = begin(bodies, 'b');
  expect(bodies.grow(neighbour.body, 40)).toBe(true);
  const stalled = begin(bodies, 'a');
  expect(bodies.grow(stalled.body, 30)).toBe(true);
  const next = begin(bodies, 'a');
  expect(bodies.grow(next.body, 30)).toBe(true);
  expect([neighbour.cut, stalled.cut, next.cut]).toEqual([false, true, false]);
});

it('refuses the newest when all others are complete, until one of them is answered', () => {
  const bodies = new OpenBodies(100);
  const held = begin(bodies, 'a');
  expect(bodies.grow(held.body, 40)).toBe(true);
  bodies.complete(held.body);
  const next = begin(bodies, 'a');
  bodies.complete(next.body);
  expect(bodies.grow(next.body, 20)).toBe(false);
  next.close();
  expect(held.cut).toBe(false);
  held.close();
  expect(bodies.grow(begin(bodies, 'a').body, 50)).toBe(true);
});

it('cuts off the body itself when it is the oldest, and frees its room', () => {
  const bodies = new OpenBodies(100);
  const only = begin(bodies, 'a');
  bodies.grow(only.body, 51);
  expect(only.cut).toBe(true);
  expect(bodies.grow(begin(bodies, 'a').body, 50)).toBe(true);
});

it('a call that goes on without its body gives the room back, once', () => {
  const bodies = new OpenBodies(100);
  const held = begin(bodies, 'a');
  expect(bodies.grow(held.body, 50)).toBe(true);
  bodies.complete(held.body);
  bodies.release(held.to);
  const next = begin(bodies, 'a');
  expect(bodies.grow(next.body, 50)).toBe(true);
  held.close();
  expect(bodies.grow(begin(bodies, 'b').body, 50)).toBe(true);
  bodies.grow(next.body, 1);
  expect(next.cut).toBe(true);
});
