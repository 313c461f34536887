import { headersIn } from './audit-stream';
import { SECRETS } from './settings';

/** The key with which our commands call a service, and its name for hooks of Gemini CLI; the service uses neither. */
const CALLER_KEYS = ['COUNTERSIGN_KEY', 'GEMINI_CLI_COUNTERSIGN_KEY'];

/** Texts of an environment that must not be logged: the secrets, and the parts of them that work alone. */
export function secretsIn(env: Readonly<Partial<Record<string, unknown>>>): string[] {
  return [...SECRETS, ...CALLER_KEYS].flatMap((name) => {
    const value = env[name];
    if (typeof value !== 'string' || value === '') return [];
    if (name === 'TELEGRAM_BOT_TOKEN') return [value, value.slice(value.indexOf(':') + 1)];
    if (name === 'AUDIT_STREAM_HEADERS')
      return [value, ...Object.values(headersIn(value) ?? {}).flatMap(wordsOf)];
    return name.startsWith('DATABASE_') ? [value, ...passwordsIn(value)] : [value];
  });
}

/** A header's value, and its parts: `Bearer TOKEN` is logged without the token too. */
const wordsOf = (value: string): string[] => [value, ...value.split(' ').slice(1)];

/** The passwords in the address of a database, as written and decoded. */
function passwordsIn(address: string): string[] {
  if (!URL.canParse(address)) return [];
  const { password, searchParams } = new URL(address);
  return [password, decodedOr(password), searchParams.get('password') ?? ''].filter((text) => text !== '');
}

function decodedOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * The environment for a program that is not ours: without our secrets, and without the paths of files that hold them.
 */
export function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const ours = new Set([...SECRETS, ...CALLER_KEYS].flatMap((name) => [name, `${name}_FILE`]));
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ours.has(name)));
}
