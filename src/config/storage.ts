import { z } from 'zod';
import { defaultDataDirectory } from './data-directory';
import { integer, secret, section, setting, type ValuesOf } from './setting';

const postgresUrl = z.url({
  protocol: /^postgres(ql)?$/,
  error: 'must look like postgres://user:password@host:5432/database',
});

export const DATABASE = section('Database', {
  DATABASE_URL: secret('`postgres://…`, PostgreSQL 14 or later', postgresUrl, 'embedded PostgreSQL'),
  DATABASE_MIGRATION_URL: secret(
    'The same database as its owner, for migrations; only beside `DATABASE_URL`',
    postgresUrl,
    '`DATABASE_URL`',
  ),
  DATABASE_LISTEN_URL: secret(
    'The same database without the pooler, for the one connection that listens; only beside `DATABASE_URL`',
    postgresUrl,
    '`DATABASE_URL`',
  ),
  DATABASE_POOL_SIZE: integer('Connections of this replica', 1, 1000, 10),
  DATA_DIR: setting(
    'Embedded database and generated keys; one service for each directory',
    z.string().optional(),
    {
      unset:
        '`.data` in a checkout, else the platform’s folder for data: on Linux `~/.local/share/countersign`',
    },
  ),
});

const apiKey = z
  .string()
  .min(32, 'must have at least 32 characters')
  .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces');

export const KEYS = section('Keys', {
  AGENT_API_KEY: secret(
    'Key of an agent, 32 or more printable characters, for instance of `openssl rand -base64 32`. With no key anywhere ' +
      'and a loopback `HOST`, a pair is generated into `DATA_DIR/keys.json`',
    apiKey,
  ),
  OPERATOR_API_KEY: secret('Key of an operator, likewise', apiKey),
  APPROVAL_SIGNING_KEY: secret(
    'Ed25519 private key, PEM, that signs receipts: `openssl genpkey -algorithm ed25519`. Without it one is generated ' +
      'and kept',
    z
      .string()
      .startsWith('-----BEGIN PRIVATE KEY-----', 'must be an Ed25519 private key in PEM form (PKCS #8)'),
    '`DATA_DIR/signing-key.pem`',
  ),
});

/** The directory of `DATA_DIR`, or the default one. */
export const dataDirOf = ({ DATA_DIR }: { readonly DATA_DIR?: string | undefined }): string =>
  DATA_DIR ?? defaultDataDirectory();

export const storageOf = (env: ValuesOf<typeof DATABASE> & ValuesOf<typeof KEYS>) => ({
  dataDir: dataDirOf(env),
  database: {
    url: env.DATABASE_URL ?? null,
    migrationUrl: env.DATABASE_MIGRATION_URL ?? null,
    listenUrl: env.DATABASE_LISTEN_URL ?? null,
    poolSize: env.DATABASE_POOL_SIZE,
  },
  keys: { agent: env.AGENT_API_KEY ?? null, operator: env.OPERATOR_API_KEY ?? null },
  signing: { key: env.APPROVAL_SIGNING_KEY ?? null },
});
