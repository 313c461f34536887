import { z } from 'zod';
import type { JsonValue } from '../../kernel/json';
import { commandMatcherSchema } from '../shell/command-matcher';
import { durationMs } from './duration';

/** Limits of one document; the bound on the steps of an evaluation follows from them. */
const MAX_RULES = 2_000;
const MAX_LIST = 100;
const MAX_CLASSES = 50;
const MAX_PEOPLE = 1_000;
const MAX_DESTINATIONS = 100;
const MAX_CHAINS = 50;
const MAX_STEPS = 10;
const MAX_ROTAS = 50;

function oneOrMany<T extends z.ZodType>(item: T) {
  return z.union([
    item,
    z.array(item).min(1, 'must not be empty').max(MAX_LIST, `must have at most ${MAX_LIST}`),
  ]);
}

const text = z.string().min(1, 'must not be empty').max(1_000, 'must have at most 1000 characters');
const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower case letters, digits and "-", at most 63 characters');
const texts = oneOrMany(text);
const json = z.json() as z.ZodType<JsonValue>;

const inputTestSchema = z.union([
  z.strictObject({ equals: json }),
  z.strictObject({ any: z.array(json).min(1, 'must not be empty').max(MAX_LIST) }),
  z.strictObject({ glob: texts }),
]);

const pointer = z
  .string()
  .regex(/^(?:\/(?:[^~/]|~[01])*)+$/, 'must be a JSON pointer such as "/options/force"');

const matchSchema = z.strictObject({
  tool: texts.optional().describe('Names of tools, as the agent calls them; globs'),
  agent: texts.optional().describe('The label that the agent claims'),
  session: texts.optional().describe('The session that the agent claims'),
  key: texts
    .optional()
    .describe('The name of the API key that asks; "*" is every agent of this installation'),
  owner: texts.optional().describe('The owner of the API key that asks'),
  connector: texts.optional().describe('The way in which the agent asks'),
  mode: texts.optional().describe('The permission mode that the agent claims'),
  cwd: texts.optional().describe('Working directories; globs'),
  path: texts
    .optional()
    .describe('Files and directories; globs that begin with "/", "**/", "~/" or "${cwd}/"'),
  except: texts.optional().describe('Paths that `path` leaves out'),
  host: texts.optional().describe('Hosts of URLs: example.org, *.example.org, example.org:8443'),
  command: commandMatcherSchema.optional().describe('Commands of a shell'),
  input: z.record(pointer, inputTestSchema).optional().describe('Members of the input, by JSON pointer'),
});

const caseSchema = z.union([
  text,
  z.strictObject({
    tool: text.optional(),
    input: z.record(z.string(), json).optional(),
    cwd: text.optional(),
    agent: text.optional(),
    session: text.optional(),
    key: text.optional(),
    owner: text.optional(),
    connector: text.optional(),
    mode: text.optional(),
    metadata: z.record(z.string(), json).optional(),
    at: z.iso.datetime({ offset: true }).optional(),
  }),
]);

const casesSchema = z.strictObject({
  match: z.array(caseSchema).max(MAX_LIST).optional().describe('Requests that the rule must match'),
  not: z.array(caseSchema).max(MAX_LIST).optional().describe('Requests that the rule must not match'),
});

const modeSchema = z.enum(['enforce', 'shadow']);

const ruleSchema = z.strictObject({
  id: name,
  decision: z.enum(['allow', 'deny', 'ask']),
  match: matchSchema.optional(),
  when: z.string().min(1, 'must not be empty').optional().describe('CEL, for what matchers cannot say'),
  class: name.optional().describe('How an asked request is decided'),
  say: text.optional().describe('The words of a denial'),
  mode: modeSchema.optional().describe('shadow: record what the rule would have done'),
  cases: casesSchema.optional(),
  'i-know': oneOrMany(z.enum(['carrier', 'executes-edits'])).optional(),
});

const timeout = z.string().refine((value) => {
  const ms = durationMs(value);
  return ms !== null && ms >= 10_000 && ms <= 7 * 24 * 3_600_000;
}, 'must be a duration from 10s to 168h, such as 30m');

const count = z.int('must be a whole number').min(1, 'must be at least 1').max(20, 'must be at most 20');

const wait = z.string().refine((value) => {
  const ms = durationMs(value);
  return ms !== null && ms >= 10_000 && ms <= 7 * 24 * 3_600_000;
}, 'must be a duration from 10s to 168h, such as 5m');

const classSchema = z.strictObject({
  approvals: count.optional().describe('Number of different people who must approve'),
  from: oneOrMany(name).optional().describe('Groups whose members decide; without it, everybody of `people`'),
  rejections: count.optional().describe('Number of different people whose rejection ends it'),
  timeout: timeout.optional(),
  grants: z.boolean().optional().describe('Whether a person may answer the next requests together with one'),
  via: z
    .enum(['any', 'console'], 'must be any or console')
    .optional()
    .describe('console: people approve only in the console, and sign with their passkey'),
  reason: z
    .literal('required', 'must be "required"')
    .optional()
    .describe('Whether every decision must give its reason'),
  chain: name.optional().describe('Who is asked after whom; without it, the chain `default`'),
  claim: wait
    .optional()
    .describe('Time for which the chain waits after somebody says that they are on it; 5m without it'),
  maximum: timeout
    .optional()
    .describe(
      'Longest time until a request ends if people give it more; without it, that of the installation',
    ),
});

/** The largest magnitude of the ids of Telegram's chats. */
const MAX_CHAT_ID = 2 ** 52;

const destinationSchema = z.union([
  z.strictObject({
    telegram: z
      .int('must be the numeric id of a Telegram chat')
      .min(-MAX_CHAT_ID, 'must be the numeric id of a Telegram chat')
      .max(MAX_CHAT_ID, 'must be the numeric id of a Telegram chat')
      .refine((id) => id !== 0, 'must be the numeric id of a Telegram chat')
      .describe('Numeric id of the Telegram chat'),
    topic: z
      .int('must be the number of a topic')
      .min(1, 'must be the number of a topic')
      .optional()
      .describe('Number of the topic in a forum'),
  }),
  z.strictObject({
    direct: oneOrMany(name).describe('Groups and people: a message to each who has started the bot'),
  }),
]);

const stepSchema = z.strictObject({
  to: name.describe('The destination that is asked'),
  after: wait.optional().describe('Time since the step before'),
  mention: oneOrMany(name)
    .optional()
    .describe('Rotas, groups and people whom the card notifies by name; of a rota the one on duty'),
});

const rotaSchema = z.strictObject({
  members: z
    .array(name)
    .min(1, 'must not be empty')
    .max(MAX_LIST, `must have at most ${MAX_LIST}`)
    .describe('People who are on duty one after the other'),
  handover: text.describe(
    'Local time at which a turn ends: "Mon 09:00 Europe/Berlin"; with days, "09:00 UTC"',
  ),
  every: z
    .string()
    .regex(/^[1-9]\d?[dw]$/, 'must be a number of days or weeks, such as 1w')
    .describe('Length of a turn: 1d to 99d, or 1w to 99w'),
});

const personSchema = z.strictObject({
  telegram: z
    .int('must be the numeric id of a Telegram user')
    .min(1, 'must be the numeric id of a Telegram user')
    .optional()
    .describe('Numeric id of the Telegram user'),
  groups: z.array(name).max(MAX_LIST, `must have at most ${MAX_LIST}`).optional(),
  email: z
    .email('must be an e-mail address')
    .optional()
    .describe('Verified e-mail with which the person signs in at the OpenID provider'),
  subject: z
    .string()
    .min(1, 'must not be empty')
    .max(255, 'must have at most 255 characters')
    .optional()
    .describe('The `sub` of the person at the OpenID provider; it then counts alone, and not the e-mail'),
  quiet: text
    .optional()
    .describe('Hours without direct messages, but those of the class critical: "22:00-07:00 Europe/Berlin"'),
});

/** The shape of a policy document. `readPolicy` also checks what concerns several members. */
export const policySchema = z.strictObject({
  version: z.literal(1, { error: 'must be 1' }),
  mode: modeSchema.optional().describe('shadow: evaluate and record, ask as if there were no rule'),
  rules: z.array(ruleSchema).max(MAX_RULES, `must have at most ${MAX_RULES} rules`),
  classes: z
    .record(name, classSchema)
    .refine(
      (classes) => Object.keys(classes).length <= MAX_CLASSES,
      `must have at most ${MAX_CLASSES} classes`,
    )
    .optional(),
  people: z
    .record(name, personSchema)
    .refine((people) => Object.keys(people).length > 0, 'must not be empty')
    .refine((people) => Object.keys(people).length <= MAX_PEOPLE, `must have at most ${MAX_PEOPLE} people`)
    .optional()
    .describe('Who may decide: by Telegram, or with an operator key whose owner has this name'),
  destinations: z
    .record(name, destinationSchema)
    .refine(
      (destinations) => Object.keys(destinations).length <= MAX_DESTINATIONS,
      `must have at most ${MAX_DESTINATIONS} destinations`,
    )
    .optional()
    .describe('Where requests are shown'),
  chains: z
    .record(
      name,
      z.array(stepSchema).min(1, 'must not be empty').max(MAX_STEPS, `must have at most ${MAX_STEPS} steps`),
    )
    .refine((chains) => Object.keys(chains).length <= MAX_CHAINS, `must have at most ${MAX_CHAINS} chains`)
    .optional()
    .describe('Who is asked after whom; `default` is the chain of every class that names none'),
  rota: z
    .record(name, rotaSchema)
    .refine((rotas) => Object.keys(rotas).length <= MAX_ROTAS, `must have at most ${MAX_ROTAS} rotas`)
    .optional()
    .describe('People who are on duty one after the other'),
  changes: z
    .strictObject({ widening: z.union([z.literal(1), z.literal(2)], { error: 'must be 1 or 2' }).optional() })
    .optional()
    .describe('Number of people for a change that widens the policy'),
});

export type Policy = z.infer<typeof policySchema>;
export type Rule = z.infer<typeof ruleSchema>;
export type RuleMatch = z.infer<typeof matchSchema>;
export type RuleCase = z.infer<typeof caseSchema>;
export type InputTest = z.infer<typeof inputTestSchema>;
export type ClassProperties = z.infer<typeof classSchema>;
export type DestinationProperties = z.infer<typeof destinationSchema>;
export type RotaProperties = z.infer<typeof rotaSchema>;

/** The chain of the classes that name none. */
export const DEFAULT_CHAIN = 'default';

/** The classes that exist without being written. */
export const BUILT_IN_CLASSES: ReadonlySet<string> = new Set(['normal', 'critical']);

/** A member that may be one value or a list, as a list. */
export function listOf<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

/** The JSON Schema of a policy document, for editors. */
export function policyJsonSchema(): object {
  return { title: 'Countersign policy', ...z.toJSONSchema(policySchema, { io: 'input' }) };
}
