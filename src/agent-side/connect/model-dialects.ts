import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';

/** One turn of the model: text and tool calls. */
export type Block = { readonly text: string } | { readonly tool: string; readonly input: object | string };

/** A request for the model's next turn, as far as a script needs it. */
export interface ModelRequest {
  readonly model: string;
  readonly hasTools: boolean;
  /** The results of the tools that the last turn called. */
  readonly results: readonly string[];
}

/** The API of a model. */
export interface Dialect {
  /** Matches the paths, below the base URL, that ask for the next turn. */
  readonly path: RegExp;
  readonly read: (body: Record<string, unknown>) => ModelRequest;
  readonly write: (turn: readonly Block[], model: string, response: ServerResponse) => void;
}

const textOf = (content: unknown): string =>
  typeof content === 'string' ? content : JSON.stringify(content);
const count = (value: unknown): number => (Array.isArray(value) ? value.length : 0);
const modelOf = ({ model }: Record<string, unknown>): string => String(model);

/** As the real ones never twice: by MCP a call with a known id is a retry. */
const newId = (prefix: string): string => `${prefix}_${randomUUID().replaceAll('-', '')}`;

function startEvents(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
}

interface Message {
  readonly role: string;
  readonly content: unknown;
}

const messages: Dialect = {
  path: /^v1\/messages(\?|$)/,
  read: (body) => {
    const last = (body.messages as Message[]).findLast(({ role }) => role === 'user')?.content;
    const blocks = Array.isArray(last) ? (last as { type: string; content?: unknown }[]) : [];
    const results = blocks.filter(({ type }) => type === 'tool_result').map(({ content }) => textOf(content));
    return { model: modelOf(body), hasTools: count(body.tools) > 0, results };
  },
  write: (turn, model, response) => {
    startEvents(response);
    const send = (type: string, data: object): void => {
      response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
    };
    const usage = { input_tokens: 1, output_tokens: 1 };
    const message = { id: newId('msg'), type: 'message', role: 'assistant', model, content: [] };
    send('message_start', { message: { ...message, stop_reason: null, stop_sequence: null, usage } });
    turn.forEach((block, index) => {
      if ('text' in block) {
        send('content_block_start', { index, content_block: { type: 'text', text: '' } });
        send('content_block_delta', { index, delta: { type: 'text_delta', text: block.text } });
      } else {
        const content = { type: 'tool_use', id: newId('toolu'), name: block.tool, input: {} };
        send('content_block_start', { index, content_block: content });
        const json = JSON.stringify(block.input);
        send('content_block_delta', { index, delta: { type: 'input_json_delta', partial_json: json } });
      }
      send('content_block_stop', { index });
    });
    const reason = turn.some((block) => 'tool' in block) ? 'tool_use' : 'end_turn';
    send('message_delta', {
      delta: { stop_reason: reason, stop_sequence: null },
      usage: { output_tokens: 1 },
    });
    send('message_stop', {});
    response.end();
  },
};

const chatCompletions: Dialect = {
  path: /^v1\/chat\/completions(\?|$)/,
  read: (body) => {
    const all = body.messages as Message[];
    const from = all.findLastIndex(({ role }) => role === 'assistant') + 1;
    const results = all
      .slice(from)
      .filter(({ role }) => role === 'tool')
      .map(({ content }) => textOf(content));
    return { model: modelOf(body), hasTools: count(body.tools) > 0, results };
  },
  write: (turn, model, response) => {
    startEvents(response);
    const chunk = { id: newId('chatcmpl'), object: 'chat.completion.chunk', created: 1, model };
    const send = (data: object): void => {
      response.write(`data: ${JSON.stringify({ ...chunk, ...data })}\n\n`);
    };
    const content = turn.flatMap((block) => ('text' in block ? [block.text] : [])).join('\n');
    const calls = turn.flatMap((block) => ('tool' in block ? [block] : []));
    const tools = calls.map(({ tool: name, input }, index) => ({
      index,
      id: newId('call'),
      type: 'function',
      function: { name, arguments: JSON.stringify(input) },
    }));
    const delta = {
      role: 'assistant',
      content: content || null,
      ...(calls.length > 0 && { tool_calls: tools }),
    };
    send({ choices: [{ index: 0, delta, finish_reason: null }] });
    const reason = calls.length > 0 ? 'tool_calls' : 'stop';
    send({ choices: [{ index: 0, delta: {}, finish_reason: reason }] });
    send({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } });
    response.end('data: [DONE]\n\n');
  },
};

interface Item {
  readonly type: string;
  readonly output?: unknown;
}

const responses: Dialect = {
  path: /^v1\/responses(\?|$)/,
  read: (body) => {
    const items = body.input as Item[];
    const from = items.findLastIndex(({ type }) => !type.endsWith('_output')) + 1;
    const results = items.slice(from).map(({ output }) => textOf(output));
    return { model: modelOf(body), hasTools: count(body.tools) > 0, results };
  },
  write: (turn, model, response) => {
    startEvents(response);
    const send = (type: string, data: object): void => {
      response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
    };
    const id = newId('resp');
    send('response.created', { response: { id, model } });
    for (const block of turn) {
      const common = 'text' in block ? null : { call_id: newId('call'), name: block.tool };
      const item =
        'text' in block
          ? { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: block.text }] }
          : typeof block.input === 'string'
            ? { type: 'custom_tool_call', ...common, input: block.input }
            : { type: 'function_call', ...common, arguments: JSON.stringify(block.input) };
      send('response.output_item.done', { item });
    }
    const usage = {
      input_tokens: 1,
      input_tokens_details: null,
      output_tokens: 1,
      output_tokens_details: null,
      total_tokens: 2,
    };
    send('response.completed', { response: { id, usage } });
    response.end();
  },
};

/** The APIs by which agents call their models: of Anthropic, and the two of OpenAI. */
export const DIALECTS: readonly Dialect[] = [messages, chatCompletions, responses];
