// The script `version` of package.json: `npm version` runs it with the new version and before it commits.
// Moves the section "Unreleased" of the changelog under the version, and sets the versions of the deployment.
import { readFileSync, writeFileSync } from 'node:fs';

const DEPLOYMENT = [
  'docker-compose.yml',
  'deploy/helm/countersign/Chart.yaml',
  'deploy/kubernetes/kustomization.yaml',
  'deploy/kubernetes/migration/kustomization.yaml',
];
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
  const ours = /^(\s*(?:newTag: |image: countersign:|version: |appVersion: ))\d+\.\d+\.\d+\S*/gm;
  writeFileSync(path, text.replace(ours, `$1${version}`));
}
