import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { type Config } from '../config/environment';
import { ConfigurationError } from '../config/faults';
import type { Log } from '../logging/log';
import { newKey } from './api-key';

const keyFileSchema = z.object({ agent: z.string().min(32), operator: z.string().min(32) });

export interface BootstrapKeys {
  readonly agent: string | null;
  readonly operator: string | null;
}

function readKeyFile(path: string): BootstrapKeys {
  try {
    return keyFileSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    throw new ConfigurationError([
      `${path}: cannot be read as a key file; delete it to have new keys made, or set AGENT_API_KEY and OPERATOR_API_KEY`,
    ]);
  }
}

function makeKeyFile(path: string): BootstrapKeys {
  const keys = { agent: newKey('agent'), operator: newKey('operator') };
  const unfinished = `${path}.${randomBytes(4).toString('hex')}`;
  writeFileSync(unfinished, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(unfinished, path);
  return keys;
}

/**
 * The keys of the environment. Without any, on a loopback host, a pair kept in `DATA_DIR/keys.json`, which is made when
 * there is no key anywhere. `issued`: there are keys that were made with the command line.
 *
 * @throws ConfigurationError when there is no key anywhere and the service would listen beyond this machine.
 */
export function bootstrapKeys(config: Config, log: Log, issued: boolean): BootstrapKeys {
  if (config.keys.agent !== null || config.keys.operator !== null) return config.keys;
  if (!config.http.loopback) {
    if (issued) return config.keys;
    throw new ConfigurationError([
      `AGENT_API_KEY, OPERATOR_API_KEY: required when HOST (${config.http.host}) is not a loopback address and no key was made with "countersign keys add"`,
    ]);
  }
  const path = resolve(join(config.dataDir, 'keys.json'));
  const found = existsSync(path);
  if (issued && !found) return config.keys;
  mkdirSync(config.dataDir, { recursive: true });
  const keys = found ? readKeyFile(path) : makeKeyFile(path);
  log.event(
    'info',
    found ? 'access.keys-read' : 'access.keys-generated',
    { path },
    `API keys are in ${path}`,
  );
  return keys;
}
