import { createServer } from 'node:net';

/** Below the range of ephemeral ports; who listens here has the machine, and a killed run gives it free. */
const PORT = 27_182;

/** @throws Error when another bench runs on this machine: each would measure the other. */
export async function holdTheMachine() {
  const server = createServer();
  await new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`another bench runs on this machine (port ${PORT} is taken); wait for its end`)
          : error,
      ),
    );
    server.listen(PORT, '127.0.0.1', resolve);
  });
  server.unref();
}
