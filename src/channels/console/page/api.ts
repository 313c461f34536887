import createClient, { type Middleware } from 'openapi-fetch';
import type { components, paths } from 'console-api';

type Schemas = components['schemas'];

export type Approval = Schemas['ApprovalView'];
export type Action = Schemas['ActionView'];
export type Grant = Schemas['GrantListView']['items'][number];
export type Status = Approval['status'];
export type Verdict = 'approved' | 'rejected';

/** A refusal of the service, in the words of its problem document. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
  ) {
    super(message);
  }
}

interface Problem {
  readonly detail?: string;
  readonly title?: string;
  readonly code?: string;
}

/** A page of another site cannot send this header, so the service knows that a change comes from here. */
const HEADER = { 'X-Countersign-Console': '1' };

const throwRefusals: Middleware = {
  async onResponse({ response }) {
    if (response.ok) return;
    const problem = (await response.json().catch(() => ({}))) as Problem;
    const message = problem.detail ?? problem.title ?? `HTTP ${response.status}`;
    throw new Refusal(message, response.status, problem.code ?? '');
  },
};

export const api = createClient<paths>({ baseUrl: location.origin, headers: HEADER });
api.use(throwRefusals);

/** The body of an answer; a refusal was thrown before. */
export async function bodyOf<T>(call: Promise<{ data?: T }>): Promise<T> {
  const { data } = await call;
  if (data === undefined) throw new Error('the answer has no body');
  return data;
}

export const isSignedOut = (error: unknown): boolean => error instanceof Refusal && error.status === 401;
