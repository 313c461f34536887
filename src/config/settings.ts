import { z } from 'zod';
import { APPROVALS, CONNECTORS, LIMITS } from './approvals';
import { AUDIT_STREAM } from './audit-stream';
import { CONSOLE } from './console';
import { LISTENING } from './listening';
import { OPERATION } from './operation';
import type { SettingFacts } from './setting';
import { POLICY } from './policy';
import { DATABASE, KEYS } from './storage';
import { DELIVERY, TELEGRAM } from './telegram';

/** All settings, in the order of docs/configuration.md, which a test compares with them, as .env.example. */
export const SECTIONS = [
  LISTENING,
  CONSOLE,
  DATABASE,
  KEYS,
  TELEGRAM,
  DELIVERY,
  APPROVALS,
  POLICY,
  LIMITS,
  CONNECTORS,
  AUDIT_STREAM,
  OPERATION,
] as const;

export const environmentSchema = z.object({
  ...LISTENING.settings,
  ...CONSOLE.settings,
  ...DATABASE.settings,
  ...KEYS.settings,
  ...TELEGRAM.settings,
  ...DELIVERY.settings,
  ...APPROVALS.settings,
  ...POLICY.settings,
  ...LIMITS.settings,
  ...CONNECTORS.settings,
  ...AUDIT_STREAM.settings,
  ...OPERATION.settings,
});

export type Environment = z.infer<typeof environmentSchema>;

/** @throws Error if the schema was not made by one of the functions of setting.ts. */
export function factsOf(schema: z.ZodType): SettingFacts {
  const { description, ...more } = schema.meta() ?? {};
  if (description === undefined) throw new Error('a setting has no description');
  return { description, ...more };
}

/** Names of the settings that are secrets. */
export const SECRETS: readonly string[] = Object.entries(environmentSchema.shape)
  .filter(([, schema]) => factsOf(schema).secret === true)
  .map(([name]) => name);
