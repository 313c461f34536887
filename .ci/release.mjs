// The script `version` of package.json: `npm version` runs it with the new version and before it commits.
// Moves the section "Unreleased" of the changelog under the version, and sets the version wherever the deployment names it.
import { readFileSync, writeFileSync } from 'node:fs';

const DEPLOYMENT = [
  'docker-compose.yml',
  'deploy/helm/countersign/Chart.yaml',
  'deploy/kubernetes/kustomization.yaml',
  'deploy/kubernetes/migration/job.yaml',
  'deploy/kubernetes/migration/kustomization.yaml',
  'docs/deployment-guide.md',
];
/** A version after words that make it ours; also as it stands in the job's name, which may hold no dots. */
const OURS =
  /(?<=^\s*(?:newTag|version|appVersion): |\bcountersign[-:]|--branch v)\d+\.\d+\.\d+(?:-[\w-]+(?:\.\d+)*)?/gm;
const JOB = /\bcountersign-migrate-\d+-\d+-\d+[\w-]*/g;
const UNRELEASED = '## [Unreleased]\n';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const changelog = readFileSync('CHANGELOG.md', 'utf8');
const [head, changes] = changelog.split(UNRELEASED);

function refuse(reason) {
  console.error(`CHANGELOG.md: ${reason}`);
  process.exit(1);
}

if (changes === undefined) refuse(`has no line "${UNRELEASED.trim()}"`);
if (changelog.includes(`\n## [${version}]`)) refuse(`has a section for ${version} already`);
if (changes.split(/^## /m)[0].trim() === '') refuse(`lists no change under "${UNRELEASED.trim()}"`);

const today = new Date().toISOString().slice(0, 10);
writeFileSync('CHANGELOG.md', `${head}${UNRELEASED}\n## [${version}] - ${today}\n${changes}`);
for (const path of DEPLOYMENT) {
  const text = readFileSync(path, 'utf8');
  const job = `countersign-migrate-${version.replaceAll('.', '-')}`;
  writeFileSync(path, text.replace(OURS, version).replace(JOB, job));
}
