import { EnqueueBatches, type BatchItem } from '../../../src/approvals/enqueue-batches';

interface Item extends BatchItem {
  readonly name: string;
}
const item = (name: string, size = 1): Item => ({ name, size });

/** Statements that end when the test says so. */
class Statements {
  readonly begun: string[][] = [];
  private readonly ends: (() => void)[] = [];

  readonly run = async (items: readonly Item[]): Promise<string[]> => {
    this.begun.push(items.map(({ name }) => name));
    await new Promise<void>((resolve) => this.ends.push(resolve));
    if (items.some(({ name }) => name === 'poison')) throw new Error('poisoned');
    if (items.some(({ name }) => name === 'away')) throw new Error('database away');
    return items.map(({ name }) => `stored ${name}`);
  };

  async end(): Promise<void> {
    this.ends.shift()?.();
    await new Promise(setImmediate);
  }
}

let statements: Statements;
let batches: EnqueueBatches<Item, string>;
beforeEach(() => {
  statements = new Statements();
  batches = new EnqueueBatches(
    statements.run,
    (error) => !(error instanceof Error && error.message.includes('away')),
  );
});

it('sends what comes alone at once, and what comes meanwhile together, answering each with its own', async () => {
  const first = batches.add(item('a'));
  expect(statements.begun).toEqual([['a']]);
  const others = [batches.add(item('b')), batches.add(item('c'))];
  await statements.end();
  expect(statements.begun).toEqual([['a'], ['b', 'c']]);
  await statements.end();
  expect(await Promise.all([first, ...others])).toEqual(['stored a', 'stored b', 'stored c']);
});

it('answers nobody before the statement has ended', async () => {
  let answered = false;
  const added = batches.add(item('a')).then(() => (answered = true));
  await new Promise(setImmediate);
  expect(answered).toBe(false);
  await statements.end();
  await added;
  expect(answered).toBe(true);
});

it('fails a poisoned item alone: the others of its batch are stored', async () => {
  const blocker = batches.add(item('blocker'));
  const results = Promise.allSettled(['a', 'poison', 'b'].map((name) => batches.add(item(name))));
  for (let n = 0; n < 5; n++) await statements.end();
  await blocker;
  expect((await results).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(statements.begun).toEqual([['blocker'], ['a', 'poison', 'b'], ['a'], ['poison'], ['b']]);
});

it('fails all at once when no item can be at fault, and goes on', async () => {
  const blocker = batches.add(item('blocker'));
  const results = Promise.allSettled(['a', 'away'].map((name) => batches.add(item(name))));
  await statements.end();
  await statements.end();
  await blocker;
  expect((await results).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const later = batches.add(item('later'));
  await statements.end();
  expect(await later).toBe('stored later');
});

it('bounds a batch by number and by size, in order, and takes an item that is larger alone', async () => {
  const added = [batches.add(item('blocker'))];
  for (let n = 0; n < 300; n++) added.push(batches.add(item(`n${n}`)));
  added.push(batches.add(item('huge', 5_000_000)), batches.add(item('last')));
  for (let n = 0; n < 5; n++) await statements.end();
  await Promise.all(added);
  expect(statements.begun.map(({ length }) => length)).toEqual([1, 256, 44, 1, 1]);
  expect(statements.begun[3]).toEqual(['huge']);
});
