import { z } from 'zod';
import type { JsonObject } from './json';

/**
 * A JSON object, passed through without a copy: zod's records and objects leave out a member of the name `__proto__`, and
 * what is shown, digested and decided must be what was sent.
 */
export const jsonObjectSchema = z
  .unknown()
  .refine(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'must be a JSON object',
  )
  .meta({ type: 'object', additionalProperties: true }) as unknown as z.ZodType<JsonObject, JsonObject>;
