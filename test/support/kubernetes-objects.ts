import { z } from 'zod';

export const name = z.string().regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be a DNS label');
export const labels = z.record(z.string().regex(/^([a-z0-9.-]+\/)?[\w.-]{1,63}$/), z.string().max(63));
const annotations = z.record(z.string(), z.string());
const metadata = z.strictObject({ name, labels: labels.optional(), annotations: annotations.optional() });
const cpu = z.string().regex(/^\d+m?$/);
const memory = z.string().regex(/^\d+(Ki|Mi|Gi)$/);
const resources = z.strictObject({ cpu: cpu.optional(), memory: memory.optional() });

const probe = z.strictObject({
  httpGet: z.strictObject({ path: z.string().startsWith('/'), port: z.union([z.string(), z.int()]) }),
  periodSeconds: z.int().min(1),
  timeoutSeconds: z.int().min(1).optional(),
  failureThreshold: z.int().min(1),
});

/** Part of the API of Kubernetes that our files use; a field that is not in it is a mistake. */
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

export const podSpec = z.strictObject({
  automountServiceAccountToken: z.literal(false),
  imagePullSecrets: z.array(z.strictObject({ name })).optional(),
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

const template = z.strictObject({
  metadata: z.strictObject({ labels, annotations: annotations.optional() }),
  spec: podSpec,
});
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
        except: z.array(z.union([z.cidrv4(), z.cidrv6()])).optional(),
      }),
    }),
  ]),
);

export const objects = z.discriminatedUnion('kind', [
  z.strictObject({
    apiVersion: z.literal('v1'),
    kind: z.literal('PersistentVolumeClaim'),
    metadata,
    spec: z.strictObject({
      accessModes: z.array(z.literal('ReadWriteMany')).length(1),
      storageClassName: name.optional(),
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
  z.strictObject({
    apiVersion: z.literal('networking.k8s.io/v1'),
    kind: z.literal('Ingress'),
    metadata,
    spec: z.strictObject({
      ingressClassName: name.optional(),
      tls: z.array(z.strictObject({ hosts: z.array(z.string()), secretName: name })),
      rules: z.array(
        z.strictObject({
          host: z.string(),
          http: z.strictObject({
            paths: z.array(
              z.strictObject({
                path: z.string().startsWith('/'),
                pathType: z.literal('Prefix'),
                backend: z.strictObject({
                  service: z.strictObject({ name, port: z.strictObject({ name }) }),
                }),
              }),
            ),
          }),
        }),
      ),
    }),
  }),
  z.strictObject({ apiVersion: z.literal('v1'), kind: z.literal('Namespace'), metadata }),
  z.strictObject({
    apiVersion: z.literal('v1'),
    kind: z.literal('ConfigMap'),
    metadata,
    data: z.record(z.string(), z.string()),
  }),
  z.strictObject({
    apiVersion: z.literal('autoscaling/v2'),
    kind: z.literal('HorizontalPodAutoscaler'),
    metadata,
    spec: z.strictObject({
      scaleTargetRef: z.strictObject({
        apiVersion: z.literal('apps/v1'),
        kind: z.literal('Deployment'),
        name,
      }),
      minReplicas: z.int().min(1),
      maxReplicas: z.int().min(1),
      metrics: z.array(
        z.strictObject({
          type: z.literal('Pods'),
          pods: z.strictObject({
            metric: z.strictObject({ name: z.string() }),
            target: z.strictObject({
              type: z.literal('AverageValue'),
              averageValue: z.string().regex(/^\d+$/),
            }),
          }),
        }),
      ),
      behavior: z.strictObject({ scaleDown: z.strictObject({ stabilizationWindowSeconds: z.int() }) }),
    }),
  }),
  z.strictObject({
    apiVersion: z.literal('monitoring.coreos.com/v1'),
    kind: z.literal('ServiceMonitor'),
    metadata,
    spec: z.strictObject({
      selector,
      endpoints: z.array(z.strictObject({ port: z.string(), interval: z.string() })),
    }),
  }),
  z.strictObject({
    apiVersion: z.literal('apps/v1'),
    kind: z.literal('Deployment'),
    metadata,
    spec: z.strictObject({
      replicas: z.int().min(2).optional(),
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
      clusterIP: z.literal('None').optional(),
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
      ttlSecondsAfterFinished: z.int().optional(),
      template,
    }),
  }),
]);

export type KubernetesObject = z.infer<typeof objects>;
export type PodSpec = z.infer<typeof podSpec>;

/** Finds the one object of a kind with this name, or without one. @throws Error when there is none, or several. */
export function only<Kind extends KubernetesObject['kind']>(
  all: readonly KubernetesObject[],
  kind: Kind,
  called?: string,
): Extract<KubernetesObject, { kind: Kind }> {
  const found = all.filter(
    (each): each is Extract<KubernetesObject, { kind: Kind }> =>
      each.kind === kind && (called === undefined || each.metadata.name === called),
  );
  const [first] = found;
  if (first === undefined || found.length > 1)
    throw new Error(`${found.length} objects are a ${kind} ${called ?? ''}`);
  return first;
}
