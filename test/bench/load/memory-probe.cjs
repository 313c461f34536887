/** Loaded into a measured process with --require and --expose-gc: tells its parent what is in use, on request. */
process.on('message', (message) => {
  if (message !== 'memory') return;
  global.gc();
  global.gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  process.send({ used: heapUsed + external, rss });
});
