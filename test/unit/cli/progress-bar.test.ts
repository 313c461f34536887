import { progressBar } from '../../../src/cli/output';

function terminal({ stdout = true, stderr = true } = {}) {
  let written = '';
  const streams = {
    stdout: { isTTY: stdout },
    stderr: { isTTY: stderr, write: (text: string) => ((written += text), true) },
  } as unknown as Pick<NodeJS.Process, 'stdout' | 'stderr'>;
  return { streams, written: () => written };
}

describe('the progress bar of a long command', () => {
  it('shows the part that is done, and is gone at the end', () => {
    const { streams, written } = terminal();
    const bar = progressBar('requests', {}, streams);
    bar?.show({ done: 50_000, of: 100_000 });
    expect(written()).toBe(`\r\x1b[K${'█'.repeat(12)}${'░'.repeat(12)} 50 %, 50000 of 100000 requests`);
    bar?.clear();
    expect(written().endsWith('\r\x1b[K')).toBe(true);
  });

  it('is full where more than was counted is done, and where there is nothing to do', () => {
    const { streams, written } = terminal();
    progressBar('requests', {}, streams)?.show({ done: 7, of: 5 });
    progressBar('requests', {}, streams)?.show({ done: 0, of: 0 });
    expect(written().match(/100 %/g)).toHaveLength(2);
  });

  it.each([
    ['with --json', { json: true }, {}],
    ['where the output is a pipe', {}, { stdout: false }],
    ['where the messages are a pipe', {}, { stderr: false }],
  ])('is not there %s', (_, options, streams) => {
    expect(progressBar('requests', options, terminal(streams).streams)).toBeNull();
  });
});
