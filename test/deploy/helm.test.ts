import { environmentFile, readDeployed, unknownVariables, yamlOf } from '../support/deployment';
import { Helm } from '../support/helm';
import { objects, only, type KubernetesObject, type PodSpec } from '../support/kubernetes-objects';
import { cleanUp } from '../support/processes';

let helm: Helm;
let standard: KubernetesObject[];

beforeAll(async () => {
  helm = await Helm.find();
  standard = await helm.render('countersign');
});
afterAll(cleanUp);

const manifest = (path: string): KubernetesObject[] =>
  yamlOf(`deploy/kubernetes/${path}`).map((each) => objects.parse(each));

/** A pod without the image, which the kustomization names, and without the release's own labels. */
function plain({ topologySpreadConstraints, containers, ...rest }: PodSpec): unknown {
  return {
    ...rest,
    containers: containers.map((container) => ({ ...container, image: '' })),
    topologySpreadConstraints: topologySpreadConstraints?.map((each) => ({ ...each, labelSelector: null })),
  };
}

const podOf = (all: readonly KubernetesObject[], kind: 'Deployment' | 'Job'): PodSpec =>
  only(all, kind).spec.template.spec;

describe('deploy/helm/countersign', () => {
  it('pleases Helm, and runs the image of its version', async () => {
    expect(await helm.lint()).toContain('0 chart(s) failed');
    const { appVersion } = yamlOf('deploy/helm/countersign/Chart.yaml')[0] as { appVersion: string };
    const [main] = podOf(standard, 'Deployment').containers;
    expect(main?.image).toBe(`registry.example.com/countersign:${appVersion}`);
  });

  it('runs the pods of deploy/kubernetes, field by field', () => {
    expect(plain(podOf(standard, 'Deployment'))).toEqual(
      plain(podOf(manifest('deployment.yaml'), 'Deployment')),
    );
    expect(plain(podOf(standard, 'Job'))).toEqual(plain(podOf(manifest('migration/job.yaml'), 'Job')));
  });

  it('opens the network as deploy/kubernetes does', () => {
    for (const [name, path] of [
      ['countersign', 'network-policy.yaml'],
      ['countersign-migrate', 'migration/network-policy.yaml'],
    ] as const) {
      const { spec } = only(standard, 'NetworkPolicy', name);
      const { podSelector } = spec;
      expect(spec).toEqual({ ...only(manifest(path), 'NetworkPolicy').spec, podSelector });
    }
  });

  it('has the settings of deploy/kubernetes, which the service knows, and new pods for new settings', async () => {
    const { data } = only(standard, 'ConfigMap');
    expect(data).toEqual(environmentFile('deploy/kubernetes/countersign.env'));
    expect(unknownVariables(Object.keys(data))).toEqual([]);
    const changed = await helm.render('countersign', 'settings.LOG_LEVEL=debug');
    const marks = [standard, changed].map(
      (all) => only(all, 'Deployment').spec.template.metadata.annotations,
    );
    expect(marks[0]).not.toEqual(marks[1]);
  });

  it('selects the pods of its own release and no others', async () => {
    const all = await helm.render('gate', 'serviceMonitor.enabled=true');
    const own = { 'app.kubernetes.io/name': 'countersign', 'app.kubernetes.io/instance': 'gate' };
    const { selector, template } = only(all, 'Deployment').spec;
    expect([selector.matchLabels, template.metadata.labels]).toEqual([own, own]);
    expect(only(all, 'PodDisruptionBudget').spec.selector.matchLabels).toEqual(own);
    expect(only(all, 'NetworkPolicy', 'gate').spec.podSelector.matchLabels).toEqual(own);
    for (const name of ['gate', 'gate-metrics'])
      expect(only(all, 'Service', name).spec.selector).toEqual(own);
    const job = only(all, 'Job').spec.template.metadata.labels;
    expect(job).not.toMatchObject(own);
    expect(only(all, 'NetworkPolicy', 'gate-migrate').spec.podSelector.matchLabels).toEqual(job);
    expect(all.map(({ metadata }) => metadata.name).filter((name) => !/^gate(-|$)/.test(name))).toEqual([]);
  });

  it('migrates before the replicas of a version start, and what guards the job stands before it', async () => {
    const hooks = [only(standard, 'NetworkPolicy', 'countersign-migrate'), only(standard, 'Job')].map(
      ({ metadata }) => metadata.annotations ?? {},
    );
    for (const annotations of hooks) expect(annotations['helm.sh/hook']).toBe('pre-install,pre-upgrade');
    const [guard, job] = hooks.map((annotations) => Number(annotations['helm.sh/hook-weight'] ?? 0));
    expect(guard).toBeLessThan(job ?? NaN);
    const without = await helm.render('countersign', 'migration.enabled=false');
    expect(without.filter(({ metadata }) => metadata.name === 'countersign-migrate')).toEqual([]);
  });

  it('scales by the calls that wait, and then leaves the number of replicas alone', async () => {
    expect(only(standard, 'Deployment').spec.replicas).toBe(2);
    const all = await helm.render('countersign', 'autoscaling.enabled=true', 'autoscaling.waitingCalls=500');
    expect(only(all, 'Deployment').spec.replicas).toBeUndefined();
    const { scaleTargetRef, metrics } = only(all, 'HorizontalPodAutoscaler').spec;
    expect(scaleTargetRef.name).toBe(only(all, 'Deployment').metadata.name);
    const [by] = metrics.map(({ pods }) => pods);
    expect(by?.target.averageValue).toBe('500');
    expect(readDeployed('src/operations/metrics/approval-metrics.ts')).toContain(
      `'${by?.metric.name ?? ''}'`,
    );
  });

  it('has the Prometheus Operator scrape each replica at the port of the metrics', async () => {
    const all = await helm.render(
      'countersign',
      'serviceMonitor.enabled=true',
      'serviceMonitor.labels.release=prometheus',
    );
    const monitor = only(all, 'ServiceMonitor');
    expect(monitor.metadata.labels).toMatchObject({ release: 'prometheus' });
    const scraped = all.filter(
      ({ kind, metadata: { labels = {} } }) =>
        kind === 'Service' &&
        Object.entries(monitor.spec.selector.matchLabels).every(([key, value]) => labels[key] === value),
    );
    expect(scraped.map(({ metadata }) => metadata.name)).toEqual(['countersign-metrics']);
    const { clusterIP, ports } = only(all, 'Service', 'countersign-metrics').spec;
    expect([clusterIP, ports.map(({ name }) => name)]).toEqual([
      'None',
      monitor.spec.endpoints.map(({ port }) => port),
    ]);
    const served = podOf(all, 'Deployment').containers[0]?.ports?.map(({ name }) => name);
    for (const { targetPort } of ports) expect(served).toContain(targetPort);
    expect(only(all, 'Service', 'countersign').spec.ports.map(({ name }) => name)).toEqual(['http']);
  });

  it('takes an image by its digest, a claim and a database of your own, and secrets by their names', async () => {
    const digest = `sha256:${'0'.repeat(64)}`;
    const all = await helm.render(
      'countersign',
      `image.digest=${digest}`,
      'image.pullSecrets={registry}',
      'checkpoints.existingClaim=evidence',
      'networkPolicy.databasePort=6432',
      'networkPolicy.databaseCidrs={10.1.2.3/32}',
      'secrets.service=mine',
      'secrets.keys={database-url,oidc-client-secret}',
    );
    const pod = podOf(all, 'Deployment');
    expect(pod.containers[0]?.image).toBe(`registry.example.com/countersign@${digest}`);
    expect(pod.imagePullSecrets).toEqual([{ name: 'registry' }]);
    expect(pod.volumes).toContainEqual({ name: 'data', persistentVolumeClaim: { claimName: 'evidence' } });
    expect(all.map(({ kind }) => kind)).not.toContain('PersistentVolumeClaim');
    expect(pod.volumes.map(({ secret }) => secret?.secretName)).toContain('mine');
    expect(pod.containers[0]?.env.filter(({ name }) => name.endsWith('_FILE'))).toEqual([
      { name: 'DATABASE_URL_FILE', value: '/secrets/database-url' },
      { name: 'OIDC_CLIENT_SECRET_FILE', value: '/secrets/oidc-client-secret' },
    ]);
    for (const name of ['countersign', 'countersign-migrate'])
      expect(only(all, 'NetworkPolicy', name).spec.egress).toContainEqual({
        to: [{ ipBlock: { cidr: '10.1.2.3/32' } }],
        ports: [{ port: 6432, protocol: 'TCP' }],
      });
  });

  it('serves the console at one name with TLS, of which the replicas know', async () => {
    expect(standard.map(({ kind }) => kind)).not.toContain('Ingress');
    const values = ['ingress.enabled=true', 'ingress.host=gate.example.com', 'ingress.tlsSecret=gate-tls'];
    const all = await helm.render('gate', ...values, 'ingress.className=nginx');
    const { ingressClassName, tls, rules } = only(all, 'Ingress').spec;
    expect(ingressClassName).toBe('nginx');
    expect(tls).toEqual([{ hosts: ['gate.example.com'], secretName: 'gate-tls' }]);
    expect(rules.map(({ host }) => host)).toEqual(['gate.example.com']);
    const [path] = rules.flatMap(({ http }) => http.paths);
    const served = only(all, 'Service', path?.backend.service.name).spec.ports.map(({ name }) => name);
    expect(served).toContain(path?.backend.service.port.name);
    const { data } = only(all, 'ConfigMap');
    expect(data.CONSOLE_URL).toBe('https://gate.example.com');
    expect(unknownVariables(Object.keys(data))).toEqual([]);
  });

  it('keeps the exported checkpoints when the release is removed', () => {
    expect(only(standard, 'PersistentVolumeClaim').metadata.annotations).toEqual({
      'helm.sh/resource-policy': 'keep',
    });
  });

  it.each([
    ['replica=3', /'replica' not allowed/],
    ['replicas=0', /\/replicas.*minimum/s],
    ['image.digest=sha256:short', /\/image\/digest/],
    ['settings.APPROVAL_WARNING_MINUTES=5', /\/settings\/APPROVAL_WARNING_MINUTES.*want string/s],
    ['settings.METRICS_PORT=x', /invalid propertyName 'METRICS_PORT'/],
    ['secrets.keys={agent-api-key}', /\/secrets\/keys/],
    ['resources.limits.memory=lots', /\/resources\/limits\/memory/],
    ['ingress.enabled=true', /\/ingress\/host/],
    ['networkPolicy.databaseCidrs={everywhere}', /\/networkPolicy\/databaseCidrs/],
  ])('refuses %s, and names it', async (value, words) => {
    await expect(helm.render('countersign', value)).rejects.toThrow(words);
  });
});
