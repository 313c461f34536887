import type { PipeTransform, Type } from '@nestjs/common';
import { createZodValidationPipe } from 'nestjs-zod';
import { z, type ZodError, type ZodType } from 'zod';
import { InvalidInput, type InputFault } from '../kernel/errors';

function dotted(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}

/** The schema's own message, except for a missing value. */
function messageOf({ code, message }: z.core.$ZodIssue): string {
  return code === 'invalid_type' && message.endsWith('received undefined') ? 'is required' : message;
}

/** Returns one fault for every unknown field, so that each has its own path. */
function faultsOf(error: ZodError): InputFault[] {
  return error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: dotted([...issue.path, key]), message: 'unknown field' }))
      : [{ path: dotted(issue.path), message: messageOf(issue) }],
  );
}

/** Parses a value with its schema. @throws InvalidInput naming every fault. */
export function parsed<Output>(schema: ZodType<Output>, value: unknown): Output {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new InvalidInput(faultsOf(result.error));
}

const noQuery = z.strictObject({});

/** Rejects query parameters on routes without any, so that mistyped ones are reported too. @throws InvalidInput */
export function refuseAnyQuery(query: unknown): void {
  parsed(noQuery, query);
}

/** Validates bodies, queries and ids by their schema, and reports every fault at once. */
export const InputPipe: Type<PipeTransform> = createZodValidationPipe({
  createValidationException: (error) => new InvalidInput(faultsOf(error as ZodError)),
});
