import createClient, { type Middleware } from 'openapi-fetch';
import type { components, paths } from 'console-api';
import { pageSecret } from './page-secret';

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

/** Another page cannot send this header, and does not know the secret, so the service knows that a change comes from here. */
export const CONSOLE_HEADER = 'X-Countersign-Console';

const sendSecret: Middleware = {
  onRequest({ request }) {
    request.headers.set(CONSOLE_HEADER, pageSecret() ?? 'none');
    return request;
  },
};

const throwRefusals: Middleware = {
  async onResponse({ response }) {
    if (!response.ok) throw await refusalOf(response);
  },
};

/** The refusal in the body of an answer. */
export async function refusalOf(response: Response): Promise<Refusal> {
  const problem = (await response.json().catch(() => ({}))) as Problem;
  const message = problem.detail ?? problem.title ?? `HTTP ${response.status}`;
  return new Refusal(message, response.status, problem.code ?? '');
}

export const api = createClient<paths>({ baseUrl: location.origin });
api.use(sendSecret, throwRefusals);

/** The body of an answer; a refusal was thrown before. */
export async function bodyOf<T>(call: Promise<{ data?: T }>): Promise<T> {
  const { data } = await call;
  if (data === undefined) throw new Error('the answer has no body');
  return data;
}

export const isSignedOut = (error: unknown): boolean => error instanceof Refusal && error.status === 401;
