import { connect } from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');
const EMPTY = Buffer.alloc(0);

/**
 * One HTTP/1.1 connection that is kept, one request on it at a time. Hardly more than the socket itself, so that
 * on two cores the generator is not what is measured.
 */
export class Connection {
  pending = null;
  received = EMPTY;
  /** Bytes of the answer, head included; 0: not known yet. */
  length = 0;

  static open({ host, port }) {
    return new Promise((resolve, reject) => {
      const connection = new Connection();
      const socket = connect({ host, port, noDelay: true });
      connection.socket = socket;
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        socket.on('error', () => undefined);
        socket.on('data', (chunk) => connection.take(chunk));
        socket.on('close', () => connection.lost());
        resolve(connection);
      });
    });
  }

  /** @returns the status and the body; rejects when the connection ends first. */
  send(bytes) {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) return reject(new Error('the connection is closed'));
      this.pending = { resolve, reject };
      this.socket.write(bytes);
    });
  }

  take(chunk) {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    if (this.length === 0) {
      const end = this.received.indexOf(HEAD_END);
      if (end === -1) return;
      const head = this.received.latin1Slice(0, end);
      const [, length] = /content-length: (\d+)/i.exec(head) ?? [];
      if (length === undefined) return this.socket.destroy();
      this.status = Number(head.slice(9, 12));
      this.bodyAt = end + HEAD_END.length;
      this.length = this.bodyAt + Number(length);
    }
    if (this.received.length < this.length) return;
    const body = this.received.subarray(this.bodyAt, this.length);
    const { pending, status } = this;
    this.pending = null;
    this.received = EMPTY;
    this.length = 0;
    pending?.resolve({ status, body });
  }

  lost() {
    this.pending?.reject(new Error('the connection was lost before the answer'));
    this.pending = null;
  }

  close() {
    this.socket.destroy();
  }
}
