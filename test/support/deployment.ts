import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { parseConfig, type Config } from '../../src/config/environment';
import { environmentSchema } from '../../src/config/settings';
import { SigningKey } from '../../src/receipts/signing-key';
import { AGENT_KEY, BOT_TOKEN, OPERATOR_KEY } from './well-known';

const ROOT = join(__dirname, '../..');

export const readDeployed = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
export const isThere = (path: string): boolean => existsSync(join(ROOT, path));

/** The documents of a YAML file, with its anchors and merges resolved. @throws Error for what is not YAML. */
export function yamlOf(path: string): unknown[] {
  return parseAllDocuments(readDeployed(path), { merge: true, uniqueKeys: true }).map((document) => {
    const [error] = [...document.errors, ...document.warnings];
    if (error) throw error;
    return document.toJS() as unknown;
  });
}

/** `NAME=value` lines. */
export function environmentFile(path: string): Record<string, string> {
  const lines = readDeployed(path).split('\n');
  return Object.fromEntries(
    lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

/** Content of the secret files of a deployment. */
export const SECRET_VALUES: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgres://countersign:secret@postgres:5432/countersign',
  DATABASE_MIGRATION_URL: 'postgres://countersign_owner:secret@postgres:5432/countersign',
  AGENT_API_KEY: AGENT_KEY,
  OPERATOR_API_KEY: OPERATOR_KEY,
  APPROVAL_SIGNING_KEY: SigningKey.generate(),
  TELEGRAM_BOT_TOKEN: BOT_TOKEN,
};

/** Names that no version of the service reads. */
export function unknownVariables(names: readonly string[]): string[] {
  const known = new Set([...Object.keys(environmentSchema.shape), 'NODE_ENV']);
  return names.filter((name) => !known.has(name) && !known.has(name.replace(/_FILE$/, '')));
}

/**
 * The configuration that the service reads from a deployment's environment and secret files.
 *
 * @throws ConfigurationError when it would not start.
 */
export function configurationOf(environment: Readonly<Record<string, string>>): Config {
  return parseConfig(
    Object.fromEntries(
      Object.entries(environment).map(([name, value]) => {
        const secret = name.replace(/_FILE$/, '');
        return secret === name ? [name, value] : [secret, SECRET_VALUES[secret] ?? ''];
      }),
    ),
  );
}

/** The paths that answer GET, from the document that a check keeps equal to the service's own. */
export function servedPaths(): string[] {
  const { paths } = JSON.parse(readDeployed('docs/openapi.json')) as { paths: Record<string, object> };
  return Object.entries(paths)
    .filter(([, methods]) => 'get' in methods)
    .map(([path]) => path);
}
