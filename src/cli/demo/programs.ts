import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 100;

/** @throws Error naming the variable if the port is not available. */
export async function requireFreePort(variable: string, port: string): Promise<void> {
  const server = createServer();
  try {
    await once(server.listen(Number(port), '127.0.0.1'), 'listening');
  } catch (error) {
    const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    const reason = inUse
      ? 'is in use'
      : `cannot be used (${error instanceof Error ? error.message : String(error)})`;
    throw new Error(`port ${port} ${reason}; choose another with ${variable}`, { cause: error });
  }
  await new Promise((closed) => server.close(closed));
}

/** A program of Countersign as a child process that writes its output to a file. */
export class Program {
  private readonly child: ChildProcess;
  private readonly lines: string[] = [];

  constructor(
    private readonly name: string,
    script: string,
    env: NodeJS.ProcessEnv,
    logFile: string,
  ) {
    this.child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const file = createWriteStream(logFile);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        file.write(chunk);
        this.lines.push(chunk.toString());
        if (this.lines.length > 20) this.lines.shift();
      });
    }
  }

  /** Waits until the URL answers. @throws Error with the program's output if it ends or is not ready in time. */
  async answers(url: string): Promise<void> {
    for (let waited = 0; waited < READY_WITHIN_MS; waited += LOOK_EVERY_MS) {
      if (this.child.exitCode !== null)
        throw new Error(`${this.name} did not start:\n${this.lines.join('')}`);
      const response = await fetch(url).catch(() => null);
      if (response?.ok) return;
      await sleep(LOOK_EVERY_MS);
    }
    throw new Error(`${this.name} does not answer at ${url}:\n${this.lines.join('')}`);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGTERM');
    await once(this.child, 'exit');
  }
}
