import { createServer } from 'node:http';
import fastify from 'fastify';
import pg from 'pg';
import { serve } from '../harness/rpc.mjs';

/** The smallest server that stores the row: Fastify and one prepared INSERT. */
async function insertServer({ url, poolSize }) {
  const pool = new pg.Pool({ connectionString: url, max: poolSize });
  await pool.query(`create table if not exists raw_requests (
    id uuid primary key default gen_random_uuid(), status text not null default 'pending',
    agent_id text not null, session_id text not null, tool_name text not null, tool_input text not null,
    cwd text, created_at timestamptz not null default now())`);
  const insert = {
    name: 'raw-insert',
    text: `insert into raw_requests (agent_id, session_id, tool_name, tool_input, cwd)
      values ($1, $2, $3, $4, $5) returning id, status, created_at`,
  };
  const app = fastify();
  app.post('/raw', async ({ body }, reply) => {
    const values = [body.agentId, body.sessionId, body.toolName, JSON.stringify(body.toolInput), body.cwd];
    const { rows } = await pool.query({ ...insert, values });
    void reply.code(201);
    return rows[0];
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { host: '127.0.0.1', port: app.server.address().port };
}

const held = new Set();
const STREAM_HEAD = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' };

/** The least cost of a held call: `node:http`, the response in a set. Streams receive the same first bytes as ours. */
async function holdingServer({ answer }) {
  const server = createServer((request, response) => {
    held.add(response);
    response.on('close', () => held.delete(response));
    if (request.url.endsWith('/events')) {
      response.writeHead(200, STREAM_HEAD);
      response.write(`event: approval\ndata: ${answer}\n\n`);
    }
  });
  server.keepAliveTimeout = 72_000;
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  process.on('SIGTERM', () => {
    server.close(() => process.exit(0));
    for (const response of held) {
      response.writeHead(200, { 'content-type': 'application/json', connection: 'close' });
      response.end(answer);
    }
  });
  return { host: '127.0.0.1', port: server.address().port };
}

serve({
  insertServer,
  holdingServer,
  held: () => held.size,
  memory: () => {
    global.gc();
    global.gc();
    const { heapUsed, external, rss } = process.memoryUsage();
    return { used: heapUsed + external, rss };
  },
});
