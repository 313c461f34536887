import { KeyTurns, MAX_TURNS } from '../../../src/access/key-turns';
import { DomainError, RateLimited } from '../../../src/kernel/errors';

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

  it('fail together where the database does not serve one, and go on afterwards', async () => {
    const turns = new KeyTurns('looks');
    const first = deferred();
    const away = new DomainError('database.unavailable', 'The database does not answer.');
    const held = turns.take('one', () => first.done.then(() => Promise.reject(away)));
    let begun = 0;
    const behind = Array.from({ length: 3 }, () => turns.take('one', () => Promise.resolve(++begun)));
    first.finish();
    for (const each of [held, ...behind]) await expect(each).rejects.toBe(away);
    expect(begun).toBe(0);
    expect(await turns.take('one', () => Promise.resolve('done'))).toBe('done');
  });
});
