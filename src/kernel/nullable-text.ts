import { z } from 'zod';

/**
 * Text or null, with its description. Only with a description does zod write null in a form that becomes `nullable` in
 * OpenAPI 3.0. Without it, the document promises a list of texts.
 */
export const nullableText = (description: string) => z.string().meta({ description }).nullable();
