import { join } from 'node:path';
import { runProgram } from '../../../src/database/embedded/run-program';

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

it.each([
  ['that is not there', join(__dirname, 'not-there')],
  ['that may not be run', __filename],
  ['that runs', process.execPath],
])('a program %s leaves nothing that keeps ours from ending', async (_what, file) => {
  const before = timers();
  await runProgram(file, ['--version'], null);
  expect(timers()).toBeLessThanOrEqual(before);
});
