/** Loaded into a service: on SIGUSR2 it says, as a line of its log, what is in use after a collection. */
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

process.on('SIGUSR2', () => {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  process.stdout.write(
    `${JSON.stringify({ event: 'probe.memory', level: 'info', used: heapUsed + external })}\n`,
  );
});
