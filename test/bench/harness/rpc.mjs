import { fork } from 'node:child_process';

const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** In a child process: answers the calls of its parent, each by the handler of that name; ends with its parent. */
export function serve(handlers) {
  process.on('message', ({ id, name, args }) => {
    Promise.resolve()
      .then(() => handlers[name](...args))
      .then(
        (value) => process.send({ id, value }),
        (error) => process.send({ id, error: error instanceof Error ? error.stack : String(error) }),
      );
  });
  process.on('disconnect', () => process.exit(0));
  process.send({ ready: true });
}

/** A child process whose handlers can be called; killed with us. */
export class Remote {
  calls = new Map();
  lastId = 0;

  static async start(file, { args = [], execArgv = [], env = {}, stdio = 'ignore' } = {}) {
    const remote = new Remote();
    remote.child = fork(file, args, {
      execArgv,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      stdio: ['ignore', stdio, 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    running.add(remote.child);
    const ready = new Promise((resolve) => (remote.ready = resolve));
    remote.child.on('message', (message) => remote.heard(message));
    remote.ended = new Promise((resolve) => {
      remote.child.once('exit', (code, signal) => {
        running.delete(remote.child);
        for (const { reject } of remote.calls.values())
          reject(new Error(`${file} ended with ${code ?? signal} before it answered`));
        remote.calls.clear();
        remote.ready();
        resolve({ code, signal });
      });
    });
    await ready;
    return remote;
  }

  heard({ ready, id, value, error }) {
    if (ready) return this.ready();
    const call = this.calls.get(id);
    this.calls.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(new Error(error));
  }

  call(name, ...args) {
    return new Promise((resolve, reject) => {
      const id = ++this.lastId;
      this.calls.set(id, { resolve, reject });
      this.child.send({ id, name, args });
    });
  }

  async end(signal = 'SIGKILL') {
    this.child.kill(signal);
    return this.ended;
  }
}
