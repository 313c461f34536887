import { z } from 'zod';
import { parseConfig } from '../../../src/config/environment';
import {
  configurationOf,
  environmentFile,
  isThere,
  readDeployed,
  SECRET_VALUES,
  servedPaths,
  unknownVariables,
  yamlOf,
} from '../../support/deployment';

const name = z.string().regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be a DNS label');
const labels = z.record(z.string().regex(/^([a-z0-9.-]+\/)?[\w.-]{1,63}$/), z.string().max(63));
const metadata = z.strictObject({ name, labels: labels.optional() });
const cpu = z.string().regex(/^\d+m?$/);
const memory = z.string().regex(/^\d+(Ki|Mi|Gi)$/);
const resources = z.strictObject({ cpu: cpu.optional(), memory: memory.optional() });

const probe = z.strictObject({
  httpGet: z.strictObject({ path: z.string().startsWith('/'), port: z.union([z.string(), z.int()]) }),
  periodSeconds: z.int().min(1),
  timeoutSeconds: z.int().min(1).optional(),
  failureThreshold: z.int().min(1),
});

/** The fields of the API that are used here (apps/v1, batch/v1, policy/v1, v1); one that is not in it is a mistake. */
const container = z.strictObject({
  name,
  image: z.string(),
  command: z.array(z.string()).optional(),
  ports: z.array(z.strictObject({ name, containerPort: z.int() })).optional(),
  envFrom: z.array(z.strictObject({ configMapRef: z.strictObject({ name }) })).optional(),
  env: z.array(z.strictObject({ name: z.string(), value: z.string() })),
  startupProbe: probe.optional(),
  livenessProbe: probe.optional(),
  readinessProbe: probe.optional(),
  resources: z.strictObject({ requests: resources, limits: resources }),
  securityContext: z.strictObject({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    capabilities: z.strictObject({ drop: z.tuple([z.literal('ALL')]) }),
  }),
  volumeMounts: z.array(
    z.strictObject({ name, mountPath: z.string().startsWith('/'), readOnly: z.boolean().optional() }),
  ),
});

const podSpec = z.strictObject({
  automountServiceAccountToken: z.literal(false),
  restartPolicy: z.literal('Never').optional(),
  terminationGracePeriodSeconds: z.int().optional(),
  topologySpreadConstraints: z
    .array(
      z.strictObject({
        maxSkew: z.int().min(1),
        topologyKey: z.string(),
        whenUnsatisfiable: z.enum(['ScheduleAnyway', 'DoNotSchedule']),
        labelSelector: z.strictObject({ matchLabels: labels }),
      }),
    )
    .optional(),
  securityContext: z.strictObject({
    runAsNonRoot: z.literal(true),
    runAsUser: z.int().min(1),
    runAsGroup: z.int().min(1),
    fsGroup: z.int().min(1),
    seccompProfile: z.strictObject({ type: z.literal('RuntimeDefault') }),
  }),
  containers: z.array(container).length(1),
  volumes: z.array(
    z.strictObject({
      name,
      secret: z.strictObject({ secretName: name, defaultMode: z.int() }).optional(),
      emptyDir: z.strictObject({}).optional(),
      persistentVolumeClaim: z.strictObject({ claimName: name }).optional(),
    }),
  ),
});

const template = z.strictObject({ metadata: z.strictObject({ labels }), spec: podSpec });
const selector = z.strictObject({ matchLabels: labels });

const policyPorts = z.array(
  z.strictObject({ port: z.union([name, z.int()]), protocol: z.enum(['TCP', 'UDP']) }),
);
const policyPeers = z.array(
  z.union([
    z.strictObject({ namespaceSelector: selector }),
    z.strictObject({
      ipBlock: z.strictObject({
        cidr: z.union([z.cidrv4(), z.cidrv6()]),
        except: z.array(z.union([z.cidrv4(), z.cidrv6()])),
      }),
    }),
  ]),
);

const objects = z.discriminatedUnion('kind', [
  z.strictObject({
    apiVersion: z.literal('v1'),
    kind: z.literal('PersistentVolumeClaim'),
    metadata,
    spec: z.strictObject({
      accessModes: z.array(z.literal('ReadWriteMany')).length(1),
      resources: z.strictObject({ requests: z.strictObject({ storage: memory }) }),
    }),
  }),
  z.strictObject({
    apiVersion: z.literal('networking.k8s.io/v1'),
    kind: z.literal('NetworkPolicy'),
    metadata,
    spec: z.strictObject({
      podSelector: selector,
      policyTypes: z.tuple([z.literal('Ingress'), z.literal('Egress')]),
      ingress: z.array(z.strictObject({ from: policyPeers, ports: policyPorts })).optional(),
      egress: z.array(z.strictObject({ to: policyPeers.optional(), ports: policyPorts })),
    }),
  }),
  z.strictObject({ apiVersion: z.literal('v1'), kind: z.literal('Namespace'), metadata }),
  z.strictObject({
    apiVersion: z.literal('apps/v1'),
    kind: z.literal('Deployment'),
    metadata,
    spec: z.strictObject({
      replicas: z.int().min(2),
      revisionHistoryLimit: z.int(),
      strategy: z.strictObject({
        type: z.literal('RollingUpdate'),
        rollingUpdate: z.strictObject({ maxUnavailable: z.literal(0), maxSurge: z.int().min(1) }),
      }),
      selector,
      template,
    }),
  }),
  z.strictObject({
    apiVersion: z.literal('v1'),
    kind: z.literal('Service'),
    metadata,
    spec: z.strictObject({
      selector: labels,
      ports: z.array(z.strictObject({ name, port: z.int(), targetPort: z.union([z.string(), z.int()]) })),
    }),
  }),
  z.strictObject({
    apiVersion: z.literal('policy/v1'),
    kind: z.literal('PodDisruptionBudget'),
    metadata,
    spec: z.strictObject({ minAvailable: z.int().min(1), selector }),
  }),
  z.strictObject({
    apiVersion: z.literal('batch/v1'),
    kind: z.literal('Job'),
    metadata,
    spec: z.strictObject({
      backoffLimit: z.int(),
      activeDeadlineSeconds: z.int(),
      ttlSecondsAfterFinished: z.int(),
      template,
    }),
  }),
]);

const kustomization = z.strictObject({
  apiVersion: z.literal('kustomize.config.k8s.io/v1beta1'),
  kind: z.literal('Kustomization'),
  namespace: name,
  labels: z.array(z.strictObject({ pairs: labels })),
  resources: z.array(z.string()),
  configMapGenerator: z.array(z.strictObject({ name, envs: z.array(z.string()) })).optional(),
  images: z.array(z.strictObject({ name, newName: z.string(), newTag: z.string().regex(/^\d+\.\d+\.\d+$/) })),
});

const DIRECTORY = 'deploy/kubernetes';

/** The objects that `kubectl apply -k` of the directory sends. */
function built(directory: string) {
  const plan = kustomization.parse(yamlOf(`${directory}/kustomization.yaml`)[0]);
  const all = plan.resources
    .flatMap((file) => yamlOf(`${directory}/${file}`))
    .map((each) => objects.parse(each));
  const find = <Kind extends (typeof all)[number]['kind']>(kind: Kind) => {
    const found = all.find(
      (each): each is Extract<(typeof all)[number], { kind: Kind }> => each.kind === kind,
    );
    if (!found) throw new Error(`${directory} has no ${kind}`);
    return found;
  };
  return { plan, find };
}

const service = built(DIRECTORY);
const migration = built(`${DIRECTORY}/migration`);
const deployment = service.find('Deployment');
const pods = [
  ['the replicas', deployment.spec.template.spec],
  ['the migration job', migration.find('Job').spec.template.spec],
] as const;

const environmentOf = (spec: z.infer<typeof podSpec>): Record<string, string> =>
  Object.fromEntries(spec.containers[0]?.env.map((each) => [each.name, each.value]) ?? []);

describe.each(pods)('deploy/kubernetes, %s', (_what, spec) => {
  const [main] = spec.containers;

  it('mounts only volumes that it has', () => {
    expect(main?.volumeMounts.map((mount) => mount.name).toSorted()).toEqual(
      spec.volumes.map((volume) => volume.name).toSorted(),
    );
  });

  it('reads its secrets from files, below the mount, and from nowhere else', () => {
    const environment = environmentOf(spec);
    const files = Object.entries(environment).filter(([key]) => key.endsWith('_FILE'));
    expect(files.length).toBeGreaterThan(1);
    expect(files.filter(([, path]) => !path.startsWith('/secrets/'))).toEqual([]);
    expect(main?.volumeMounts).toContainEqual({ name: 'secrets', mountPath: '/secrets', readOnly: true });
  });

  it('sets only variables that the service knows', () => {
    expect(unknownVariables(Object.keys(environmentOf(spec)))).toEqual([]);
  });

  it('runs an image that the kustomization pins, and a program that is in it', () => {
    expect(service.plan.images).toEqual(migration.plan.images);
    expect(service.plan.images.map((image) => image.name)).toContain(main?.image);
    const [, program = 'dist/src/main.js'] = main?.command ?? [];
    expect(isThere(program.replace(/^dist\//, '').replace(/\.js$/, '.ts'))).toBe(true);
  });
});

describe('deploy/kubernetes', () => {
  const [main] = deployment.spec.template.spec.containers;

  it('starts with what the config map and the container set, one key to sign with for all pods', () => {
    const files = service.plan.configMapGenerator?.flatMap(({ envs }) => envs) ?? [];
    const configured = Object.assign(
      {},
      ...files.map((file) => environmentFile(`${DIRECTORY}/${file}`)),
    ) as object;
    expect(unknownVariables(Object.keys(configured))).toEqual([]);
    const environment = { ...configured, ...environmentOf(deployment.spec.template.spec) };
    const config = configurationOf({ HOST: '0.0.0.0', ...environment });
    expect(config.telegram?.operators).not.toEqual([]);
    expect(config.signing.key).toBe(SECRET_VALUES.APPROVAL_SIGNING_KEY);
    expect(deployment.spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(
      config.shutdown.noticeSeconds + 20,
    );
    expect(main?.envFrom).toEqual([{ configMapRef: { name: service.plan.configMapGenerator?.[0]?.name } }]);
  });

  it('probes start, life and readiness at paths that the service serves', () => {
    const probes = [main?.startupProbe, main?.livenessProbe, main?.readinessProbe];
    expect(probes.map((each) => each?.httpGet.path)).toEqual([
      '/health/live',
      '/health/live',
      '/health/ready',
    ]);
    for (const each of probes) {
      expect(servedPaths()).toContain(each?.httpGet.path);
      expect(main?.ports?.map((port) => port.name)).toContain(each?.httpGet.port);
    }
  });

  it('notices an unready replica within the notice that it gives', () => {
    const { periodSeconds = NaN, failureThreshold = NaN } = main?.readinessProbe ?? {};
    const notice = Number(environmentOf(deployment.spec.template.spec).SHUTDOWN_NOTICE_SECONDS);
    expect(notice).toBeGreaterThan(periodSeconds * failureThreshold);
  });

  it('selects the same pods everywhere', () => {
    const { matchLabels } = deployment.spec.selector;
    expect(deployment.spec.template.metadata.labels).toMatchObject(matchLabels);
    expect(service.find('Service').spec.selector).toEqual(matchLabels);
    expect(service.find('PodDisruptionBudget').spec.selector.matchLabels).toEqual(matchLabels);
    expect(migration.find('Job').spec.template.metadata.labels).not.toMatchObject(matchLabels);
    const [port] = service.find('Service').spec.ports;
    expect(main?.ports?.map((each) => each.name)).toContain(port?.targetPort);
  });

  it('keeps exported checkpoints on a volume that outlives every pod, one for all replicas', () => {
    const dataDir = /DATA_DIR=(\S+)/.exec(readDeployed('Dockerfile'))?.[1];
    const { checkpointFile } = parseConfig({ DATA_DIR: dataDir }).audit;
    expect(Object.keys(environmentOf(deployment.spec.template.spec))).not.toContain('AUDIT_CHECKPOINT_FILE');
    const mount = main?.volumeMounts.find(({ mountPath }) => checkpointFile.startsWith(`${mountPath}/`));
    const volume = deployment.spec.template.spec.volumes.find((each) => each.name === mount?.name);
    expect(volume?.persistentVolumeClaim?.claimName).toBe(
      service.find('PersistentVolumeClaim').metadata.name,
    );
  });

  it('is reached by whom it serves, and reaches names, PostgreSQL and Telegram, and nothing of the cluster else', () => {
    const { podSelector, ingress = [], egress } = service.find('NetworkPolicy').spec;
    expect(podSelector).toEqual(deployment.spec.selector);
    expect(ingress.flatMap(({ from }) => from).length).toBe(2);
    const served = main?.ports?.map((each) => each.name) ?? [];
    for (const { ports } of ingress) for (const { port } of ports) expect(served).toContain(port);
    expect(egress.flatMap(({ ports }) => ports.map(({ port }) => port))).toEqual([53, 53, 5432, 443]);
    const [, , telegram] = egress;
    const blocks = telegram?.to?.flatMap((peer) => ('ipBlock' in peer ? peer.ipBlock.except : [])) ?? [];
    expect(blocks).toEqual(expect.arrayContaining(['10.0.0.0/8', '169.254.0.0/16', 'fe80::/10']));
  });

  it('lets nobody reach the job that has the owner’s URL', () => {
    const { podSelector, ingress, egress } = migration.find('NetworkPolicy').spec;
    expect(migration.find('Job').spec.template.metadata.labels).toMatchObject(podSelector.matchLabels);
    expect(ingress).toBeUndefined();
    expect(egress.flatMap(({ ports }) => ports.map(({ port }) => port))).toEqual([53, 53, 5432]);
  });

  it('lets an eviction take one replica at a time', () => {
    expect(service.find('PodDisruptionBudget').spec.minAvailable).toBeLessThan(deployment.spec.replicas);
  });
});
