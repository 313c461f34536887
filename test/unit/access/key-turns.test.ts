import { KeyTurns, MAX_TURNS } from '../../../src/access/key-turns';
import { RateLimited } from '../../../src/kernel/errors';

function deferred(): { done: Promise<void>; finish: () => void } {
  let finish: () => void = () => undefined;
  const done = new Promise<void>((resolve) => (finish = resolve));
  return { done, finish };
}

describe('the turns of a key', () => {
  it('come one after another, and keep no other key waiting', async () => {
    const turns = new KeyTurns('looks');
    const first = deferred();
    const order: string[] = [];
    const held = turns.take('one', async () => {
      await first.done;
      order.push('first');
    });
    const behind = turns.take('one', () => Promise.resolve(void order.push('second')));
    await turns.take('other', () => Promise.resolve(void order.push('other')));
    first.finish();
    await Promise.all([held, behind]);
    expect(order).toEqual(['other', 'first', 'second']);
  });

  it('are refused when too many wait, and again taken when those are over', async () => {
    const turns = new KeyTurns('looks');
    const first = deferred();
    const held = Array.from({ length: MAX_TURNS }, () => turns.take('one', () => first.done));
    await expect(turns.take('one', () => Promise.resolve())).rejects.toBeInstanceOf(RateLimited);
    first.finish();
    await Promise.all(held);
    await turns.take('one', () => Promise.resolve());
  });

  it('go on after one that failed', async () => {
    const turns = new KeyTurns('looks');
    const failed = turns.take('one', () => Promise.reject(new Error('lost')));
    const behind = turns.take('one', () => Promise.resolve('done'));
    await expect(failed).rejects.toThrow('lost');
    await expect(behind).resolves.toBe('done');
  });
});
