import type { components } from 'console-api';
import { api, bodyOf, CONSOLE_HEADER, refusalOf } from './api';
import { pageSecret } from './page-secret';

type Schemas = components['schemas'];
export type Policy = Schemas['PolicyView'];
export type Finding = Schemas['CheckView']['findings'][number];
export type Replay = Schemas['ReplayView'];

/** A change of the policy. */
export interface Change {
  readonly text: string;
  /** The version that it replaces; null: none is active. */
  readonly replaces: string | null;
  readonly comment: string;
}

const YAML = { 'Content-Type': 'application/yaml' };

/** The API describes a document as an object; the page sends its text, with the comments in it. */
const asText = (text: string) => ({
  body: text as unknown as Record<string, unknown>,
  bodySerializer: () => text,
});

const replacing = (version: string | null): Record<string, string> =>
  version === null ? { 'If-None-Match': '*' } : { 'If-Match': `"${version}"` };

const comment = (words: string) => (words === '' ? {} : { comment: words });

export const checkPolicy = (text: string) =>
  bodyOf(api.POST('/api/policy/check', { ...asText(text), headers: YAML }));

export const applyPolicy = (change: Change) =>
  bodyOf(
    api.PUT('/api/policy', {
      ...asText(change.text),
      headers: { ...YAML, ...replacing(change.replaces) },
      params: { query: comment(change.comment) },
    }),
  );

export const proposePolicy = (change: Change) =>
  bodyOf(
    api.POST('/api/policy/proposals', {
      ...asText(change.text),
      headers: { ...YAML, ...replacing(change.replaces) },
      params: { query: comment(change.comment) },
    }),
  );

export const rollBack = (version: string, replaces: string | null) =>
  bodyOf(
    api.POST('/api/policy/rollback', {
      body: { version },
      headers: replacing(replaces),
    }),
  );

const LINES = 'application/x-ndjson';

/** Replays the last 7 days. The answer has one JSON document a line: the progress, and at last the result. */
export async function testPolicy(text: string, report: (done: number) => void): Promise<Replay> {
  const answer = await fetch('/api/policy/test?since=7d', {
    method: 'POST',
    headers: { ...YAML, Accept: LINES, [CONSOLE_HEADER]: pageSecret() ?? 'none' },
    body: text,
  });
  if (!answer.ok) throw await refusalOf(answer);
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let last: unknown = null;
  for (;;) {
    const { done = true, value = '' } = (await reader?.read()) ?? {};
    const lines = (rest + value).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      last = JSON.parse(line);
      const { done: replayed } = last as { done?: number };
      if (replayed !== undefined) report(replayed);
    }
    if (done) break;
  }
  const result = last as Replay | { detail?: string } | null;
  if (result && 'requests' in result) return result;
  throw new Error(result?.detail ?? 'The service ended the test early. Try again.');
}
