import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One turn of the model: text and tool calls. */
export type Block = { readonly text: string } | { readonly tool: string; readonly input: object };

interface Play {
  readonly turns: readonly (readonly Block[])[];
  next: number;
  readonly results: string[];
}

interface Body {
  readonly model: string;
  readonly tools?: readonly unknown[];
  readonly messages: readonly { readonly role: string; readonly content: unknown }[];
}

interface ToolResult {
  readonly type: string;
  readonly content?: unknown;
}

/** The model of a real Claude Code, scripted: it plays turns, whatever it is told, and keeps the results of tools. */
export interface ModelEndpoint {
  /** @returns the `ANTHROPIC_BASE_URL` under which these turns are played, and what tools returned so far. */
  play(turns: readonly (readonly Block[])[]): { readonly url: string; readonly results: readonly string[] };
  close(): Promise<void>;
}

export async function startModelEndpoint(): Promise<ModelEndpoint> {
  const plays = new Map<string, Play>();
  const server = createServer((request, response) => {
    void bodyOf(request).then((text) => {
      const [, name = '', ...rest] = (request.url ?? '').split('/');
      const play = plays.get(name);
      const asksModel = /^v1\/messages(\?|$)/.test(rest.join('/'));
      if (!play || !asksModel)
        return void response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
      answer(JSON.parse(text) as Body, play, response);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    play: (turns) => {
      const name = `play${plays.size}`;
      const play: Play = { turns, next: 0, results: [] };
      plays.set(name, play);
      return { url: `${base}/${name}`, results: play.results };
    },
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(() => done()));
    },
  };
}

function answer({ model, tools = [], messages }: Body, play: Play, response: ServerResponse): void {
  // Without tools it is asked for a title or the like.
  const turn = tools.length === 0 ? [{ text: 'A title' }] : (play.turns[play.next++] ?? [{ text: 'Done.' }]);
  const last = messages.findLast(({ role }) => role === 'user')?.content;
  if (tools.length > 0 && Array.isArray(last)) {
    const results = (last as ToolResult[]).filter(({ type }) => type === 'tool_result');
    play.results.push(
      ...results.map(({ content }) => (typeof content === 'string' ? content : JSON.stringify(content))),
    );
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (type: string, data: object): void => {
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  };
  const usage = { input_tokens: 1, output_tokens: 1 };
  const message = { id: `msg_${play.next}`, type: 'message', role: 'assistant', model, content: [] };
  send('message_start', { message: { ...message, stop_reason: null, stop_sequence: null, usage } });
  turn.forEach((block, index) => {
    if ('text' in block) {
      send('content_block_start', { index, content_block: { type: 'text', text: '' } });
      send('content_block_delta', { index, delta: { type: 'text_delta', text: block.text } });
    } else {
      // As the real ones never twice: by MCP a call with a known id is a retry.
      const id = `toolu_${randomUUID().replaceAll('-', '')}`;
      send('content_block_start', {
        index,
        content_block: { type: 'tool_use', id, name: block.tool, input: {} },
      });
      const json = JSON.stringify(block.input);
      send('content_block_delta', { index, delta: { type: 'input_json_delta', partial_json: json } });
    }
    send('content_block_stop', { index });
  });
  const reason = turn.some((block) => 'tool' in block) ? 'tool_use' : 'end_turn';
  send('message_delta', { delta: { stop_reason: reason, stop_sequence: null }, usage: { output_tokens: 1 } });
  send('message_stop', {});
  response.end();
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
