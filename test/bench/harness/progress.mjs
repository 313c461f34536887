/** One line on standard error that tells what is being measured: overwritten on a terminal, a line a change elsewhere. */
export function progressLine(stream = process.stderr) {
  const startedAt = performance.now();
  const progress = (what) => {
    const seconds = String(Math.round((performance.now() - startedAt) / 1000)).padStart(4);
    stream.write(stream.isTTY ? `\r\u001b[K${seconds} s  ${what}` : `${seconds} s  ${what}\n`);
  };
  progress.end = () => stream.isTTY && stream.write('\r\u001b[K');
  return progress;
}
