import type { FastifyReply } from 'fastify';
import type { Answer } from './execute';
import type { Fault } from './faults';

const HTML_PAGE =
  '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.18.0</center>\r\n</body>\r\n</html>\r\n';

const DRIP_MS = 100;

/** More than a bot should read, and small enough for the memory of any machine. */
const HUGE_BYTES = 8 * 1024 * 1024;

/** Resets the TCP connection: the client sees ECONNRESET. */
export function resetConnection(reply: FastifyReply): void {
  reply.hijack();
  reply.raw.socket?.resetAndDestroy();
}

/** Writes the answer, or a corrupted one if a fault asks for that. */
export function writeAnswer(reply: FastifyReply, { status, body }: Answer, spoiled: Fault['body']): void {
  const json = JSON.stringify(body);
  void reply.code(status);
  switch (spoiled) {
    case undefined:
      void reply.type('application/json').send(json);
      return;
    case 'html':
      void reply.type('text/html').send(HTML_PAGE);
      return;
    case 'empty':
      void reply.type('application/json').send('');
      return;
    case 'truncated':
      // Content-Length is that of the half, so the client takes the body as complete.
      void reply.type('application/json').send(json.slice(0, Math.ceil(json.length / 2)));
      return;
    case 'huge':
      void reply.type('application/json').send(json + ' '.repeat(HUGE_BYTES));
      return;
    case 'stall':
    case 'drip':
      slowly(reply, status, json, spoiled);
  }
}

function slowly(reply: FastifyReply, status: number, json: string, how: 'stall' | 'drip'): void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) });
  if (how === 'stall') {
    raw.write(json.slice(0, Math.floor(json.length / 2)));
    return;
  }
  const bytes = Buffer.from(json);
  let sent = 0;
  const timer = setInterval(() => {
    raw.write(bytes.subarray(sent, ++sent));
    if (sent < bytes.length) return;
    clearInterval(timer);
    raw.end();
  }, DRIP_MS);
  raw.on('close', () => clearInterval(timer));
}
