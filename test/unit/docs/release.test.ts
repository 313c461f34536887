import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const CHECKOUT = resolve(__dirname, '../../..');
const { version: CURRENT } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as {
  version: string;
};
const SCRIPT = join(CHECKOUT, '.ci/release.mjs');
const DOCUMENTS = ['README.md', 'docker-compose.yml', 'deploy', 'docs'];
const HEAD = '# Changelog\n\n## [Unreleased]\n';

let folder: string;
const write = (path: string, text: string) => writeFileSync(join(folder, path), text);
const read = (path: string) => readFileSync(join(folder, path), 'utf8');

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-release-'));
  for (const path of DOCUMENTS) cpSync(join(CHECKOUT, path), join(folder, path), { recursive: true });
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

/** All lines of the documents that name a version of ours, without the version. */
function linesNaming(version: string): string[] {
  const dashed = version.replaceAll('.', '-');
  const files = DOCUMENTS.flatMap((path) =>
    statSync(join(folder, path)).isFile()
      ? [path]
      : readdirSync(join(folder, path), { recursive: true, encoding: 'utf8' }).map((file) =>
          join(path, file),
        ),
  ).filter((path) => /\.(md|ya?ml|json|service|env)$/.test(path));
  return files.flatMap((path) =>
    read(path)
      .split('\n')
      .filter((line) => /countersign|version: |newTag: /i.test(line))
      .filter((line) => line.includes(version) || line.includes(dashed))
      .map((line) => `${path}: ${line.replaceAll(version, 'OURS').replaceAll(dashed, 'OURS')}`),
  );
}

it.each(['7.8.9', '7.8.9-rc.1'])(
  'sets %s wherever a document or a file for deployment names ours',
  (next) => {
    write('package.json', JSON.stringify({ version: next }));
    write('CHANGELOG.md', `${HEAD}\n- New.\n`);
    const places = linesNaming(CURRENT);
    for (const path of [
      'docker-compose.yml',
      'migration/job.yaml',
      'Chart.yaml',
      'kustomization.yaml',
      'guide.md',
    ])
      expect(places).toContainEqual(expect.stringContaining(`${path}: `));

    execFileSync(process.execPath, [SCRIPT], { cwd: folder });
    expect(linesNaming(CURRENT)).toEqual([]);
    expect(linesNaming(next)).toEqual(places);
    // Other images keep their versions.
    expect(read('docker-compose.yml').match(/image: (?!countersign).*/g)).toEqual(
      readFileSync(join(CHECKOUT, 'docker-compose.yml'), 'utf8').match(/image: (?!countersign).*/g),
    );
  },
);

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
