import { z } from 'zod';
import {
  configurationOf,
  isThere,
  readDeployed,
  SECRET_VALUES,
  servedPaths,
  unknownVariables,
  yamlOf,
} from '../../support/deployment';

const duration = z.string().regex(/^(\d+h)?(\d+m)?(\d+s)?$/);
const size = z.string().regex(/^\d+[kmg]$/);
const scalar = z.union([z.string(), z.number(), z.boolean()]);

/** The part of the Compose specification that is used here; a key that is not in it is a mistake. */
const serviceSchema = z.strictObject({
  image: z.string(),
  build: z.union([z.string(), z.strictObject({ context: z.string() })]).optional(),
  command: z.array(z.string()).optional(),
  cap_drop: z.array(z.string()),
  depends_on: z
    .union([
      z.array(z.string()),
      z.record(
        z.string(),
        z.strictObject({
          condition: z.enum(['service_started', 'service_healthy', 'service_completed_successfully']),
        }),
      ),
    ])
    .optional(),
  entrypoint: z.array(z.string()).optional(),
  environment: z.record(z.string(), scalar).optional(),
  healthcheck: z
    .strictObject({
      test: z.array(z.string()),
      interval: duration,
      timeout: duration,
      retries: z.int(),
      start_period: duration,
    })
    .partial()
    .required({ test: true })
    .optional(),
  init: z.boolean(),
  logging: z.strictObject({ driver: z.string(), options: z.record(z.string(), z.string()) }),
  mem_limit: size,
  pids_limit: z.int().positive(),
  ports: z.array(z.string().regex(/^(127\.0\.0\.1:)?(\d+|\$\{[A-Z_]+:-\d+\}):\d+$/)).optional(),
  profiles: z.array(z.string()).optional(),
  read_only: z.literal(true),
  restart: z.enum(['no', 'unless-stopped']),
  secrets: z.array(z.string()).optional(),
  security_opt: z.array(z.string()),
  shm_size: size.optional(),
  stop_grace_period: duration.optional(),
  tmpfs: z.array(z.string()).optional(),
  user: z.string().optional(),
  volumes: z.array(z.string()).optional(),
});

const composeSchema = z.strictObject({
  name: z.string(),
  services: z.record(z.string(), serviceSchema),
  secrets: z.record(z.string(), z.strictObject({ file: z.string().startsWith('./secrets/') })),
  volumes: z.record(z.string(), z.null()),
  configs: z.record(z.string(), z.strictObject({ file: z.string() })).optional(),
});

const raw = z.record(z.string(), z.unknown()).parse(yamlOf('docker-compose.yml')[0]);
const compose = composeSchema.parse(
  Object.fromEntries(Object.entries(raw).filter(([key]) => !key.startsWith('x-'))),
);
const services = Object.entries(compose.services);
const ours = services.filter(([, { image }]) => image.startsWith('countersign:'));
const foreign = services.filter(([, { image }]) => !image.startsWith('countersign:'));
const replicas = ours.filter(([name]) => name.startsWith('countersign-'));

/** `${NAME:-default}` and `${NAME:?message}` as Compose fills them in. */
const filledIn = (text: string): string =>
  text
    .replace(/\$\{[A-Z_]+:-([^}]*)\}/g, '$1')
    .replace('${TELEGRAM_CHAT_ID:?set TELEGRAM_CHAT_ID in .env, the numeric id of the chat}', '-1001')
    .replace('${TELEGRAM_OPERATORS:?set TELEGRAM_OPERATORS in .env, such as 4711:Olivia}', '4711:Olivia');

const environmentOf = ({ environment = {} }: z.infer<typeof serviceSchema>): Record<string, string> =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, filledIn(String(value))]));

describe.each(services)('docker-compose.yml, %s', (_name, service) => {
  it('has no privileges to lose, and limits', () => {
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.security_opt).toContain('no-new-privileges:true');
  });

  it('is pinned to a version', () => {
    expect(service.image).toMatch(/:v?\d+\.\d+(\.\d+)?(-[\w.]+)?$|@sha256:[0-9a-f]{64}$/);
  });

  it('names only services, secrets, volumes and files that are there', () => {
    const { depends_on: needs = [], secrets = [], volumes = [] } = service;
    const needed = Array.isArray(needs) ? needs : Object.keys(needs);
    expect(needed.filter((each) => !(each in compose.services))).toEqual([]);
    expect(secrets.filter((each) => !(each in compose.secrets))).toEqual([]);
    for (const volume of volumes) {
      const [source = '', target = ''] = volume.split(':');
      expect(target).toMatch(/^\//);
      expect([source, source.startsWith('./') ? isThere(source) : source in compose.volumes]).toEqual([
        source,
        true,
      ]);
    }
  });

  it('reads as secrets only what it was given', () => {
    const read = Object.values(environmentOf(service)).filter((value) => value.startsWith('/run/secrets/'));
    expect(read.filter((path) => !service.secrets?.includes(path.slice('/run/secrets/'.length)))).toEqual([]);
  });
});

describe.each(ours)('docker-compose.yml, %s, an image of ours', (_name, service) => {
  it('runs a program that the Dockerfile builds', () => {
    const [node, program = 'dist/src/main.js'] = service.command ?? ['node'];
    expect(node).toBe('node');
    expect(isThere(program.replace(/^dist\//, '').replace(/\.js$/, '.ts'))).toBe(true);
  });

  it('sets only variables that the service knows, to values with which it starts', () => {
    const environment = environmentOf(service);
    expect(unknownVariables(Object.keys(environment))).toEqual([]);
    expect(() => configurationOf(environment)).not.toThrow();
  });
});

describe('docker-compose.yml', () => {
  it('runs two equal replicas behind the proxy', () => {
    expect(replicas).toHaveLength(2);
    expect(replicas[0]?.[1]).toEqual(replicas[1]?.[1]);
    const proxied = Object.values(compose.services.proxy?.environment ?? {});
    expect(proxied).toEqual(expect.arrayContaining(replicas.map(([name]) => `${name}:3000`)));
  });

  it('publishes beyond loopback only a door with TLS, which is another proxy before the same replicas', () => {
    const isOpen = (port: string) => !port.startsWith('127.0.0.1:');
    const open = services.filter(([, { ports = [] }]) => ports.some(isOpen));
    expect(open.map(([name]) => name)).toEqual(['proxy-tls']);
    const { 'proxy-tls': tls, proxy } = compose.services;
    const port = String(tls?.environment?.TLS_BIND).replace('*', '');
    expect(tls?.ports?.every((each) => each.endsWith(port))).toBe(true);
    expect(tls?.image).toBe(proxy?.image);
    const replicasOf = (environment: object = {}) =>
      Object.entries(environment).filter(([name]) => name.startsWith('REPLICA_'));
    expect(replicasOf(tls?.environment)).toEqual(replicasOf(proxy?.environment));
    for (const file of tls?.command?.filter((each) => each.endsWith('.cfg')) ?? [])
      expect(isThere(file.replace('/usr/local/etc/haproxy/', 'deploy/haproxy/'))).toBe(true);
  });

  it('serves the console at the address that the environment gives', () => {
    for (const [, replica] of replicas) {
      const { CONSOLE_URL } = replica.environment ?? {};
      expect(CONSOLE_URL).toBe('${CONSOLE_URL:-}');
      const environment = { ...environmentOf(replica), HOST: '0.0.0.0' };
      expect(configurationOf(environment).console).toBeNull();
      const at = { ...environment, CONSOLE_URL: 'https://countersign.example.com' };
      expect(configurationOf(at).console).toEqual({ url: 'https://countersign.example.com' });
    }
  });

  it('gives all replicas one key to sign with', () => {
    for (const [, replica] of replicas)
      expect(configurationOf(environmentOf(replica)).signing.key).toBe(SECRET_VALUES.APPROVAL_SIGNING_KEY);
  });

  it('gives the owner’s database URL to the migrations only', () => {
    const holders = services.filter(([, { secrets = [] }]) => secrets.includes('database-migration-url'));
    expect(holders.map(([name]) => name)).toEqual(['migrate']);
  });

  it('gives a replica more time to stop than its notice and its drain take', () => {
    for (const [, replica] of replicas) {
      const { shutdown } = configurationOf(environmentOf(replica));
      expect(Number.parseInt(replica.stop_grace_period ?? '10s', 10)).toBeGreaterThan(
        shutdown.noticeSeconds + 20,
      );
    }
  });

  it('asks the sandbox for its health at its own door, and not at that of the service', () => {
    const { environment, healthcheck } = compose.services.sandbox ?? {};
    expect(healthcheck?.test[0]).toBe('CMD');
    expect(healthcheck?.test.join(' ')).toContain(`127.0.0.1:${String(environment?.SANDBOX_PORT)}/`);
  });

  it('has a file for every secret that the service takes', () => {
    const files = Object.keys(compose.secrets).map((name) => name.toUpperCase().replaceAll('-', '_'));
    expect(Object.keys(SECRET_VALUES).filter((name) => !files.includes(name))).toEqual([]);
  });
});

describe('deploy/haproxy/haproxy.cfg', () => {
  const configuration = readDeployed('deploy/haproxy/haproxy.cfg');

  it('asks a path that the service serves', () => {
    const [, path] = /http-check send meth GET uri (\S+)/.exec(configuration) ?? [];
    expect(servedPaths()).toContain(path);
  });

  it('notices within the notice that replicas give, wherever one is given', () => {
    const [, seconds] = /inter (\d+)s fall 1 /.exec(configuration) ?? [];
    for (const [, replica] of replicas) {
      const { shutdown } = configurationOf(environmentOf(replica));
      expect(shutdown.noticeSeconds).toBeGreaterThan(Number(seconds) + 1);
    }
  });

  it('takes its addresses from the variables that the compose file sets', () => {
    const usedIn = (text: string) => [...text.matchAll(/"\$\{([A-Z_]+)\}"/g)].map(([, name]) => name);
    const used = usedIn(configuration);
    expect(Object.keys(compose.services.proxy?.environment ?? {}).toSorted()).toEqual(used.toSorted());
    const withTls = [...used, ...usedIn(readDeployed('deploy/haproxy/tls.cfg'))];
    expect(Object.keys(compose.services['proxy-tls']?.environment ?? {}).toSorted()).toEqual(
      withTls.toSorted(),
    );
  });
});

it('pins every foreign image to a patch release, so that the same file starts the same programs', () => {
  expect(foreign.length).toBeGreaterThan(3);
  for (const [, { image }] of foreign) {
    expect(image).toMatch(/^[a-z/]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?(@sha256:[0-9a-f]{64})?$/);
  }
});
