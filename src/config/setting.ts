import { z } from 'zod';

/** One part of docs/configuration.md; a setting is one entry of it, and nothing else has to be written down. */
export interface Section<Shape extends z.ZodRawShape> {
  readonly title: string;
  readonly settings: Shape;
}

export type ValuesOf<S> = S extends Section<infer Shape> ? z.infer<z.ZodObject<Shape>> : never;

export interface SettingFacts {
  /** Meaning, in Markdown, for docs/configuration.md and .env.example. */
  readonly description: string;
  /** Effect of leaving it unset, where it has no default. */
  readonly unset?: string;
  readonly secret?: true;
}

export const section = <Shape extends z.ZodRawShape>(title: string, settings: Shape): Section<Shape> => ({
  title,
  settings,
});

/** A setting with any schema; one without a default must be optional. */
export const setting = <Schema extends z.ZodType>(
  description: string,
  schema: Schema,
  more: Omit<SettingFacts, 'description'> = {},
): Schema => schema.meta({ description, ...more });

/**
 * May also be given as `NAME_FILE`, the path of a file that holds the value. A secret is not logged, and not passed to
 * programs that Countersign starts.
 */
export const secret = <Schema extends z.ZodType>(description: string, schema: Schema, unset?: string) =>
  setting(description, schema.optional(), unset === undefined ? { secret: true } : { secret: true, unset });

export const integer = (description: string, min: number, max: number, fallback: number) =>
  setting(
    description,
    z
      .string()
      .regex(/^\d+$/, `must be a whole number from ${min} to ${max}`)
      .transform(Number)
      .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`))
      .default(fallback),
  );

/** No default: an unset port is off. */
export const optionalPort = (description: string) =>
  setting(
    description,
    z
      .string()
      .regex(/^\d+$/, 'must be a whole number from 0 to 65535')
      .transform(Number)
      .pipe(z.number().max(65_535, 'must be at most 65535'))
      .optional(),
  );

export const fraction = (description: string, fallback: number) =>
  setting(
    description,
    z
      .string()
      .regex(/^(0?\.\d+|0|1|1\.0+|0\.\d+)$/, 'must be a fraction above 0 and at most 1, such as 0.5')
      .transform(Number)
      .pipe(z.number().gt(0, 'must be above 0').max(1, 'must be at most 1'))
      .default(fallback),
  );

export const flag = (description: string, fallback: boolean) =>
  setting(
    description,
    z
      .enum(['true', 'false'], 'must be true or false')
      .transform((value) => value === 'true')
      .default(fallback),
  );

export const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .transform((value) => value.replace(/\/+$/, ''));

/** Bytes of a MiB. */
export const MIB = 1024 * 1024;
