import { z } from 'zod';

const MAX_LIST = 100;
const text = z.string().min(1).max(1_000);

const token = z.union([text, z.strictObject({ any: z.array(text).min(1).max(MAX_LIST) })]);

/** `--name`, `--name=value`, `--name=` (any value), `-n:int` (the next word), `--name=:path`, `-:int` (as in `-20`). */
const FLAG = /^(?<name>[-+][^\s=:]*)(?:=(?<value>[^:].*)|(?<equals>=)?(?::(?<kind>int|path|any))?)$/;

const flag = text.regex(FLAG, {
  error: 'A flag is written --name, --name=value, --name= (any value), or -n:int, -n:path, -n:any',
});

/** The `command` matcher of a rule; source: policy.md, "Shell commands". */
export const commandMatcherSchema = z.strictObject({
  argv: z.array(token).min(1).max(MAX_LIST).optional(),
  flags: z.array(flag).min(1).max(MAX_LIST).optional(),
  operands: z.enum(['none', 'path', 'any']).optional(),
  writes: z.array(text).min(1).max(MAX_LIST).optional(),
  mentions: z
    .array(
      z
        .array(text.regex(/^\S+$/, { error: 'A token has no white space; write [terraform, apply]' }))
        .min(1)
        .max(MAX_LIST),
    )
    .min(1)
    .max(MAX_LIST)
    .optional(),
});
export type CommandMatcher = z.infer<typeof commandMatcherSchema>;

export type OperandKind = 'int' | 'path' | 'any';

/** A flag of the list, taken apart. `value` is the kind of a value that the rule leaves open. */
export interface Flag {
  /** The whole word, or the part of it before the open value. */
  readonly word: string;
  readonly open: null | { readonly kind: OperandKind; readonly place: 'same word' | 'next word' };
}

export function readFlag(entry: string): Flag {
  const { name = entry, value, equals, kind } = FLAG.exec(entry)?.groups ?? {};
  if (value !== undefined || (equals === undefined && kind === undefined)) return { word: entry, open: null };
  const isJoined = equals !== undefined || name.length === 1;
  return {
    word: equals === undefined ? name : `${name}=`,
    open: { kind: (kind ?? 'any') as OperandKind, place: isJoined ? 'same word' : 'next word' },
  };
}
