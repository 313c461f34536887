import { singleFlight } from '../../../src/kernel/single-flight';

/** Work that ends when the test says so. */
function manualWork() {
  const ends: { resolve: (value: number) => void; reject: (reason: Error) => void }[] = [];
  const work = jest.fn(() => new Promise<number>((resolve, reject) => ends.push({ resolve, reject })));
  return { work, ends, run: singleFlight(work) };
}

it('a call during a run joins it, and a call after it runs again', async () => {
  const { work, ends, run } = manualWork();
  const both = [run(), run()];
  expect(work).toHaveBeenCalledTimes(1);
  ends[0]?.resolve(7);
  expect(await Promise.all(both)).toEqual([7, 7]);
  expect(run.current()).toBeNull();
  const again = run();
  expect(run.current()).toBe(again);
  ends[1]?.resolve(8);
  expect(await again).toBe(8);
});

it('a run that fails rejects all that joined it, and does not keep the next one from running', async () => {
  const { ends, run } = manualWork();
  const both = [run(), run()];
  ends[0]?.reject(new Error('away'));
  for (const each of both) await expect(each).rejects.toThrow('away');
  const again = run();
  ends[1]?.resolve(1);
  expect(await again).toBe(1);
});
