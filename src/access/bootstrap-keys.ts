import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { ConfigurationError, type Config } from '../config/environment';
import type { Log } from '../logging/log';

/** 256 bits, in 43 characters that need no quoting anywhere. */
const KEY_BYTES = 32;

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
  const keys = {
    agent: `csa_${randomBytes(KEY_BYTES).toString('base64url')}`,
    operator: `cso_${randomBytes(KEY_BYTES).toString('base64url')}`,
  };
  const unfinished = `${path}.${randomBytes(4).toString('hex')}`;
  writeFileSync(unfinished, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(unfinished, path);
  return keys;
}

/**
 * The keys of the environment; with none there, on a loopback host, a pair kept in `DATA_DIR/keys.json`.
 *
 * @throws ConfigurationError when there are none and the service would listen beyond this machine.
 */
export function bootstrapKeys(config: Config, log: Log): BootstrapKeys {
  if (config.keys.agent !== null || config.keys.operator !== null) return config.keys;
  if (!config.http.loopback) {
    throw new ConfigurationError([
      `AGENT_API_KEY, OPERATOR_API_KEY: required when HOST (${config.http.host}) is not a loopback address`,
    ]);
  }
  const path = resolve(join(config.dataDir, 'keys.json'));
  mkdirSync(config.dataDir, { recursive: true });
  const found = existsSync(path);
  const keys = found ? readKeyFile(path) : makeKeyFile(path);
  log.event(
    'info',
    found ? 'access.keys-read' : 'access.keys-generated',
    { path },
    `API keys are in ${path}`,
  );
  return keys;
}
