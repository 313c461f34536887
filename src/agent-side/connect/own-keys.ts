import { parse as parseJson } from 'jsonc-parser';
import { z } from 'zod';
import { textOf } from './settings-edits';

/** A key that an agent sends in place of the key in the environment where it was started. */
export interface OwnKey {
  /** The file or variable that holds it, for a person. */
  readonly where: string;
  readonly key: string;
}

const environmentSchema = z.looseObject({
  env: z.looseObject({ COUNTERSIGN_KEY: z.string().optional() }).optional(),
});

/** The key in the member `env` of settings in JSON, which the agent sets for its hooks. */
export function keyInSettings(path: string): OwnKey[] {
  const settings = environmentSchema.safeParse(
    parseJson(textOf(path) ?? '{}', [], { allowTrailingComma: true }),
  );
  const key = settings.data?.env?.COUNTERSIGN_KEY;
  return key === undefined ? [] : [{ where: `env.COUNTERSIGN_KEY in ${path}`, key }];
}

/** The keys in a file of lines `NAME=value`, which the agent reads at its start. */
export function keysInEnvFile(path: string, names: readonly string[]): OwnKey[] {
  return (textOf(path) ?? '').split(/\r?\n/).flatMap((line) => {
    const [, name = '', value = ''] = /^\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    return names.includes(name)
      ? [{ where: `${name} in ${path}`, key: value.replace(/^(["'])(.*)\1$/, '$2') }]
      : [];
  });
}
