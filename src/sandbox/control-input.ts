import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { isRecord } from './params';

/** A control call that the sandbox refuses: it answers `{error}` with this status. */
export class ControlError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The JSON body of a control call. @throws {ControlError} 400 saying what is wrong */
export function parseBody<T>(schema: z.ZodType<T>, request: FastifyRequest): T {
  const text = Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '';
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new ControlError(400, 'the body must be JSON');
  }
  return check(schema, isRecord(body) ? body : {});
}

export function parseQuery<T>(schema: z.ZodType<T>, request: FastifyRequest): T {
  return check(schema, request.query);
}

function check<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`);
  throw new ControlError(400, faults.join('; '));
}
