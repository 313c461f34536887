import { EnqueueBatches, type BatchItem } from '../../../src/approvals/enqueue-batches';

interface Item extends BatchItem {
  readonly name: string;
}
const item = (name: string, bytes = 1): Item => ({ name, bytes });

const nextTurn = () => new Promise(setImmediate);

/** Statements that end when the test says so. */
class Statements {
  readonly begun: string[][] = [];
  private readonly ends: { names: string[]; end: () => void }[] = [];

  readonly run = async (items: readonly Item[]): Promise<string[]> => {
    const names = items.map(({ name }) => name);
    this.begun.push(names);
    await new Promise<void>((end) => this.ends.push({ names, end }));
    if (names.includes('poison')) throw new Error('poisoned');
    if (names.includes('away')) throw new Error('database away');
    return names.map((name) => `stored ${name}`);
  };

  get underWay(): string[][] {
    return this.ends.map(({ names }) => names);
  }

  /** The one that began first. */
  async end(): Promise<void> {
    this.ends.shift()?.end();
    await nextTurn();
    // What follows from it begins in the turn after.
    await nextTurn();
  }

  async endAll(): Promise<void> {
    while (this.ends.length > 0) await this.end();
  }
}

let statements: Statements;
let batches: EnqueueBatches<Item, string>;
beforeEach(() => {
  statements = new Statements();
  batches = new EnqueueBatches({
    run: statements.run,
    mustRunAlone: (items) => items.some(({ name }) => name.startsWith('counted')),
    failsAlone: (error) => !(error instanceof Error && error.message.includes('away')),
  });
});

/** All in one turn of the event loop. */
const add = (...names: string[]) => names.map((name) => batches.add(item(name)));

/** Each in a turn of its own. */
async function addInTurn(...names: string[]): Promise<Promise<string>[]> {
  const added: Promise<string>[] = [];
  for (const name of names) {
    added.push(...add(name));
    await nextTurn();
  }
  return added;
}

it('sends what comes in one turn together, and does not wait for what comes in the next', async () => {
  const added = [...add('a', 'b'), ...(await addInTurn('c', 'd'))];
  expect(statements.begun).toEqual([['a', 'b', 'c'], ['d']]);
  await statements.endAll();
  expect(await Promise.all(added)).toEqual(['stored a', 'stored b', 'stored c', 'stored d']);
});

it('sends what comes while two are under way together', async () => {
  const added = await addInTurn('a', 'b', 'c', 'd');
  expect(statements.begun).toEqual([['a'], ['b']]);
  await statements.end();
  expect(statements.begun).toEqual([['a'], ['b'], ['c', 'd']]);
  await statements.endAll();
  expect(await Promise.all(added)).toEqual(['stored a', 'stored b', 'stored c', 'stored d']);
});

it('answers nobody before the statement has ended', async () => {
  let answered = false;
  const added = batches.add(item('a')).then(() => (answered = true));
  await nextTurn();
  expect(answered).toBe(false);
  await statements.end();
  await added;
  expect(answered).toBe(true);
});

it('lets a statement that must see all others run alone: after those before it, and before those after it', async () => {
  const added = await addInTurn('a', 'counted b', 'c');
  expect(statements.underWay).toEqual([['a']]);
  await statements.end();
  expect(statements.underWay).toEqual([['counted b']]);
  added.push(...(await addInTurn('d')));
  expect(statements.underWay).toEqual([['counted b']]);
  await statements.end();
  expect(statements.underWay).toEqual([['c', 'd']]);
  await statements.endAll();
  await Promise.all(added);
});

it('fails a poisoned item alone: the others of its batch are stored', async () => {
  const added = Promise.allSettled([...(await addInTurn('a', 'b')), ...add('c', 'poison', 'd')]);
  await statements.endAll();
  expect((await added).map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
  expect(statements.begun).toEqual([['a'], ['b'], ['c', 'poison', 'd'], ['c'], ['poison'], ['d']]);
});

it('fails all at once when no item can be at fault, and goes on', async () => {
  const added = Promise.allSettled([...(await addInTurn('a', 'b')), ...add('c', 'away')]);
  await statements.endAll();
  expect((await added).map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'rejected',
  ]);
  const [later] = await addInTurn('later');
  await statements.end();
  expect(await later).toBe('stored later');
});

it('bounds a batch by number and by size, in order, and takes an item that is larger alone', async () => {
  const added = await addInTurn('a', 'b');
  added.push(...add(...Array.from({ length: 40 }, (_, n) => `n${n}`)));
  added.push(batches.add(item('huge', 5_000_000)), batches.add(item('last')));
  await statements.endAll();
  await Promise.all(added);
  expect(statements.begun.map(({ length }) => length)).toEqual([1, 1, 32, 8, 1, 1]);
  expect(statements.begun[4]).toEqual(['huge']);
});
