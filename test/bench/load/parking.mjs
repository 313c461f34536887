import { connect } from 'node:net';
import { readRequest, streamRequest } from './requests.mjs';

/** Connections made at once: as many as a listen queue holds without asking for a second try. */
const AT_ONCE = 100;

/** Calls that wait, in numbers: what each has heard, and whether it was answered or cut off. */
export class Parking {
  cars = new Set();

  /** `kind`: `poll` or `stream`; `slow`: never reads what comes. Resolves once every request is on its way. */
  async park({ target, key, ids, kind = 'poll', slow = false }) {
    const queue = ids.map((id) => (kind === 'stream' ? streamRequest(id, key) : readRequest(id, key, 55)));
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let bytes = queue.pop(); bytes; bytes = queue.pop()) await this.one(target, bytes, slow);
      }),
    );
  }

  one(target, bytes, slow) {
    return new Promise((resolve, reject) => {
      const socket = connect({ ...target, noDelay: true });
      const car = { socket, answeredAt: 0, bytes: 0, reset: false };
      this.cars.add(car);
      socket.once('connect', () => socket.write(bytes, resolve));
      socket.on('error', (error) => {
        car.reset = true;
        reject(error);
      });
      if (slow) socket.pause();
      else
        socket.on('data', (chunk) => {
          car.answeredAt = performance.now();
          car.bytes += chunk.length;
        });
      socket.on('close', () => {
        car.closed = true;
        this.onClose?.();
      });
    });
  }

  state() {
    const cars = [...this.cars];
    return {
      parked: cars.length,
      answered: cars.filter(({ bytes }) => bytes > 0).length,
      resets: cars.filter(({ reset, bytes, closed }) => reset || (closed && bytes === 0)).length,
      lastAnswerAt: performance.timeOrigin + Math.max(0, ...cars.map(({ answeredAt }) => answeredAt)),
    };
  }

  /** Waits until every connection was closed by the other side. */
  async emptied() {
    while ([...this.cars].some(({ closed }) => !closed))
      await new Promise((resolve) => (this.onClose = resolve));
    return this.state();
  }

  /** Hangs up: so many of those that came first, or all. */
  leave(count = Infinity) {
    for (const car of [...this.cars].slice(0, count)) {
      car.socket.destroy();
      this.cars.delete(car);
    }
  }
}
