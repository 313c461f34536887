import type { ApprovalJson } from './api';

export interface StreamEvent {
  readonly event: string;
  readonly data: ApprovalJson;
}

/** A server-sent event stream as a client reads it. */
export interface EventStream {
  readonly status: number;
  readonly headers: Headers;
  /** Everything so far, as it came. */
  readonly text: () => string;
  readonly events: () => StreamEvent[];
  /** Fulfilled when the server ended the stream. */
  readonly ended: Promise<void>;
  readonly hangUp: () => void;
}

export async function openEventStream(url: string, key: string): Promise<EventStream> {
  const controller = new AbortController();
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${key}` },
    signal: controller.signal,
  });
  let text = '';
  const decoder = new TextDecoder();
  const read = async () => {
    for await (const chunk of response.body ?? [])
      text += decoder.decode(chunk as Uint8Array, { stream: true });
  };
  const ended = read();
  // Who hangs up does not care how the reading ends.
  ended.catch(() => undefined);
  return {
    status: response.status,
    headers: response.headers,
    text: () => text,
    events: () =>
      text
        .split('\n\n')
        .filter((block) => block.startsWith('event:'))
        .map((block) => {
          const [event = '', data = ''] = block.split('\n');
          return {
            event: event.slice('event: '.length),
            data: JSON.parse(data.slice('data: '.length)) as ApprovalJson,
          };
        }),
    ended,
    hangUp: () => controller.abort(),
  };
}
