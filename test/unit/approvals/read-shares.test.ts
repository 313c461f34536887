import { ReadShares } from '../../../src/approvals/read-shares';
import { parseConfig } from '../../../src/config/environment';
import { DomainError, RateLimited } from '../../../src/kernel/errors';

const MAX_WAITING = 3;

const sharesOf = (poolSize: number) =>
  new ReadShares(
    parseConfig({ DATABASE_POOL_SIZE: String(poolSize), HTTP_MAX_WAITING_PER_KEY: String(MAX_WAITING) }),
  );

/** Reads that end when the test says so. */
class Reads {
  readonly begun: string[] = [];
  private readonly ends = new Map<string, { done: (value: string) => void; fail: (error: Error) => void }>();

  read = (name: string) => () => {
    this.begun.push(name);
    return new Promise<string>((done, fail) => this.ends.set(name, { done, fail }));
  };

  end(name: string): void {
    this.ends.get(name)?.done(name);
  }

  fail(name: string, error: Error): void {
    this.ends.get(name)?.fail(error);
  }
}

it('reads of one key use half of the connections, in their order, and keep no other key waiting', async () => {
  const shares = sharesOf(4);
  const reads = new Reads();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => shares.take('one', reads.read(name)));
  const other = shares.take('other', reads.read('other'));
  expect(reads.begun).toEqual(['a', 'b', 'other']);
  reads.end('b');
  expect(await b).toBe('b');
  expect(reads.begun).toEqual(['a', 'b', 'other', 'c']);
  for (const name of ['a', 'c', 'other']) reads.end(name);
  expect(await Promise.all([a, c, other])).toEqual(['a', 'c', 'other']);
});

it('with one connection, one read goes on', async () => {
  const reads = new Reads();
  const read = sharesOf(1).take('one', reads.read('a'));
  reads.end('a');
  expect(await read).toBe('a');
});

it('more that wait than one key may hold are refused', async () => {
  const shares = sharesOf(2);
  const reads = new Reads();
  const held = ['a', 'b', 'c', 'd'].map((name) => shares.take('one', reads.read(name)));
  await expect(shares.take('one', reads.read('e'))).rejects.toBeInstanceOf(RateLimited);
  for (const [n, name] of ['a', 'b', 'c', 'd'].entries()) {
    reads.end(name);
    await held[n];
  }
});

it('where the database does not serve one, those that wait fail with it; after another error they go on', async () => {
  const shares = sharesOf(2);
  const reads = new Reads();
  const away = new DomainError('database.unavailable', 'The database does not answer.');
  const failed = ['a', 'b'].map((name) => shares.take('one', reads.read(name)));
  reads.fail('a', away);
  for (const each of failed) await expect(each).rejects.toBe(away);
  expect(reads.begun).toEqual(['a']);

  const wrong = shares.take('one', reads.read('c'));
  const next = shares.take('one', reads.read('d'));
  reads.fail('c', new Error('wrong'));
  await expect(wrong).rejects.toThrow('wrong');
  reads.end('d');
  expect(await next).toBe('d');
});

it('nothing is read for a caller that has gone while it waited', async () => {
  const shares = sharesOf(2);
  const reads = new Reads();
  const gone = new AbortController();
  const first = shares.take('one', reads.read('first'));
  const left = shares.take('one', reads.read('left'), gone.signal);
  const stays = shares.take('one', reads.read('stays'));
  const reason = new Error('gone');
  gone.abort(reason);
  reads.end('first');
  await first;
  await expect(left).rejects.toBe(reason);
  expect(reads.begun).toEqual(['first', 'stays']);
  reads.end('stays');
  await stays;
});

it('rests after large reads, for as long as the caller is there, and keeps no other key waiting', async () => {
  const shares = sharesOf(4);
  const begun: string[] = [];
  const read = (key: string, name: string, mib: number, gone?: AbortSignal) =>
    shares.take(
      key,
      (took) => {
        begun.push(name);
        took(mib * 1024 * 1024);
        return Promise.resolve(name);
      },
      gone,
    );
  await read('one', 'first', 4);
  await read('one', 'second', 8);
  const rests = read('one', 'rests', 1);
  const leaves = new AbortController();
  const left = read('one', 'left', 1, leaves.signal);
  leaves.abort(new Error('gone'));
  await expect(left).rejects.toThrow('gone');
  await read('other', 'other', 1);
  expect(begun).toEqual(['first', 'second', 'other']);
  await rests;
  expect(begun).toEqual(['first', 'second', 'other', 'rests']);
});
