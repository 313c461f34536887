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

it('the bodies of held calls fill the shares of their senders, and leave all the room to others', () => {
  const bodies = new OpenBodies(100);
  const held = ['a', 'b'].map((sender) => begin(bodies, sender));
  for (const { body, to } of held) {
    expect(bodies.grow(body, 50)).toBe(true);
    bodies.complete(body);
    bodies.hold(to);
  }
  const more = begin(bodies, 'a');
  bodies.grow(more.body, 1);
  expect(more.cut).toBe(true);
  const others = ['c', 'd'].map((sender) => begin(bodies, sender));
  for (const { body } of others) expect(bodies.grow(body, 50)).toBe(true);
  for (const each of [...held, ...others]) each.close();
  for (const sender of ['a', 'b']) expect(bodies.grow(begin(bodies, sender).body, 50)).toBe(true);
});

it('the bodies of held calls beyond the memory for them take the room of all', () => {
  const bodies = new OpenBodies(100, 80);
  const [first, second] = ['a', 'b'].map((sender) => begin(bodies, sender));
  for (const each of [first, second]) {
    if (!each) throw new Error('no body');
    expect(bodies.grow(each.body, 50)).toBe(true);
    bodies.complete(each.body);
    bodies.hold(each.to);
  }
  const others = ['c', 'd'].map((sender) => begin(bodies, sender));
  expect(others.map(({ body }) => bodies.grow(body, 50))).toEqual([true, true]);
  expect(others.map(({ cut }) => cut)).toEqual([true, false]);
  first?.close();
  second?.close();
  expect(bodies.grow(begin(bodies, 'a').body, 50)).toBe(true);
});
