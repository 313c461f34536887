import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const CHECKOUT = resolve(__dirname, '../../..');
const SCRIPT = join(CHECKOUT, '.ci/release.mjs');
const HEAD = '# Changelog\n\n## [Unreleased]\n';

let folder: string;
const write = (path: string, text: string) => writeFileSync(join(folder, path), text);
const read = (path: string) => readFileSync(join(folder, path), 'utf8');

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-release-'));
  for (const path of ['docker-compose.yml', 'deploy'])
    cpSync(join(CHECKOUT, path), join(folder, path), { recursive: true });
  write('package.json', JSON.stringify({ version: '7.8.9' }));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('moves the changes under the version and its date, and leaves an empty section', () => {
  write('CHANGELOG.md', `${HEAD}\n- New.\n\n## [7.8.8] - 2026-01-01\n\n- Old.\n`);
  execFileSync(process.execPath, [SCRIPT], { cwd: folder });
  expect(read('CHANGELOG.md').replace(/- \d{4}-\d\d-\d\d\n\n- New/, '- TODAY\n\n- New')).toBe(
    `${HEAD}\n## [7.8.9] - TODAY\n\n- New.\n\n## [7.8.8] - 2026-01-01\n\n- Old.\n`,
  );
});

it('sets our version wherever a file for deployment names it, and no other version', () => {
  write('CHANGELOG.md', `${HEAD}\n- New.\n`);
  execFileSync(process.execPath, [SCRIPT], { cwd: folder });
  const compose = (text: string) => text.match(/image: .*/g) ?? [];
  expect(compose(read('docker-compose.yml'))).toEqual(
    compose(readFileSync(join(CHECKOUT, 'docker-compose.yml'), 'utf8')).map((line) =>
      line.startsWith('image: countersign:') ? 'image: countersign:7.8.9' : line,
    ),
  );
  for (const path of ['kustomization.yaml', 'migration/kustomization.yaml'])
    expect(read(`deploy/kubernetes/${path}`)).toContain('newTag: 7.8.9\n');
  expect(read('deploy/helm/countersign/Chart.yaml')).toMatch(/^version: 7\.8\.9\nappVersion: 7\.8\.9$/m);
});

it.each([
  [`${HEAD}\n## [7.8.8] - 2026-01-01\n\n- Old.\n`, /lists no change/],
  [`${HEAD}\n- New.\n\n## [7.8.9] - 2026-01-01\n`, /has a section for 7\.8\.9 already/],
  ['# Changelog\n', /has no line "## \[Unreleased\]"/],
])('refuses %j and changes nothing', (changelog, reason) => {
  write('CHANGELOG.md', changelog);
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT], { cwd: folder, encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toMatch(reason);
  expect(read('CHANGELOG.md')).toBe(changelog);
});
