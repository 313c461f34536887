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
import {
  labels,
  name,
  objects,
  only,
  type KubernetesObject,
  type PodSpec,
} from '../../support/kubernetes-objects';

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
  return {
    plan,
    find: <Kind extends KubernetesObject['kind']>(kind: Kind) => only(all, kind),
  };
}

const service = built(DIRECTORY);
const migration = built(`${DIRECTORY}/migration`);
const deployment = service.find('Deployment');
const pods = [
  ['the replicas', deployment.spec.template.spec],
  ['the migration job', migration.find('Job').spec.template.spec],
] as const;

const environmentOf = (spec: PodSpec): Record<string, string> =>
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
    // The metrics are at a port of their own: METRICS_PORT takes them from the other one.
    expect(
      ingress.map(({ from, ports }) => [
        from.map((peer) => 'namespaceSelector' in peer && peer.namespaceSelector.matchLabels),
        ports.map(({ port }) => port),
      ]),
    ).toEqual([
      [[{ 'countersign-access': 'callers' }], ['http']],
      [[{ 'countersign-access': 'metrics' }], ['metrics']],
    ]);
    expect(main?.ports?.map((each) => each.name)).toEqual(['http', 'metrics']);
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
    expect(service.find('PodDisruptionBudget').spec.minAvailable).toBeLessThan(
      deployment.spec.replicas ?? NaN,
    );
  });
});

it('kustomizations and the Helm chart have the version of the package', () => {
  const { version } = JSON.parse(readDeployed('package.json')) as { version: string };
  for (const { plan } of [service, migration])
    expect(plan.images.map(({ newTag }) => newTag)).toEqual([version]);
  const [chart] = yamlOf('deploy/helm/countersign/Chart.yaml');
  expect(chart).toMatchObject({ version, appVersion: version });
});
