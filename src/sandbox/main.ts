import { startSandbox } from './sandbox-server';

const DEFAULT_PORT = 8081;

void main();

/** Runs the Telegram sandbox as its own program: `npm run sandbox`, port in `SANDBOX_PORT`, address in `HOST`. */
async function main(): Promise<void> {
  const port = readPort(process.env.SANDBOX_PORT);
  if (port === null) {
    fail(`SANDBOX_PORT must be a port number, got "${process.env.SANDBOX_PORT ?? ''}"`);
    return;
  }
  try {
    const sandbox = await startSandbox({ port, ...(process.env.HOST ? { host: process.env.HOST } : {}) });
    console.log(`Telegram sandbox: chat page ${sandbox.url}/  (use TELEGRAM_API_ROOT=${sandbox.url})`);
    const stop = (): void => {
      void sandbox.close().then(() => process.exit(0));
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
  } catch (error) {
    const inUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    fail(
      inUse
        ? `port ${port} is in use; choose another with SANDBOX_PORT`
        : `cannot start: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function readPort(text: string | undefined): number | null {
  if (text === undefined || text === '') return DEFAULT_PORT;
  const port = Number(text);
  return /^[0-9]+$/.test(text) && port <= 65_535 ? port : null;
}

function fail(reason: string): void {
  console.error(`Telegram sandbox: ${reason}`);
  process.exitCode = 1;
}
