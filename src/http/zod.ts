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

/** An answer names so many faults: one that named all could be many times as long as the request. */
const MAX_FAULTS = 20;

/** Returns one fault for every unknown field, so that each has its own path; the last one counts what is left out. */
function faultsOf(error: ZodError): InputFault[] {
  const faults: InputFault[] = [];
  let count = 0;
  for (const issue of error.issues) {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys : [];
    count += Math.max(1, keys.length);
    const room = MAX_FAULTS - faults.length;
    if (room <= 0) continue;
    if (keys.length === 0) faults.push({ path: dotted(issue.path), message: messageOf(issue) });
    for (const key of keys.slice(0, room))
      faults.push({ path: dotted([...issue.path, key]), message: 'unknown field' });
  }
  const more = count - faults.length;
  if (more > 0) faults.push({ path: '', message: `${more} more fault${more === 1 ? '' : 's'}` });
  return faults;
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
