import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { DocumentShell, followDocument } from '../support/documents';
import { prepareInstallation, type Installation } from '../support/installation';
import { CHECKOUT, cleanUp, freePort, Program, temporaryDirectory } from '../support/processes';
import { until } from '../support/until';

let machine: Installation;

beforeAll(async () => {
  machine = await prepareInstallation();
});
afterAll(async () => {
  await machine.shell().run({
    command: 'systemctl stop haproxy countersign@3001 countersign@3002',
    background: false,
  });
  machine.postgres.stop();
  await cleanUp();
});

it('docs/deployment-guide.md, followed word for word, ends with two replicas that work', async () => {
  expect(await followDocument('docs/deployment-guide.md', machine.shell())).toEqual([]);
  for (const port of ['3001', '3002'] as const) {
    expect((await fetch(`${machine.replica(port)}/health/ready`)).status).toBe(200);
  }
});

it('docs/operations-runbook.md says what its commands say', async () => {
  expect(await followDocument('docs/operations-runbook.md', machine.shell())).toEqual([]);
});

it('README.md says what its commands say', async () => {
  const home = join(temporaryDirectory('countersign-readme-'), 'countersign');
  mkdirSync(home);
  for (const part of ['package.json', 'tsconfig.json', 'src', 'migrations', 'dist']) {
    cpSync(join(CHECKOUT, part), join(home, part), {
      recursive: true,
      preserveTimestamps: true,
    });
  }
  symlinkSync(join(CHECKOUT, 'node_modules'), join(home, 'node_modules'));
  const port = await freePort();
  const service = new Program(process.execPath, ['dist/src/main.js'], { PORT: String(port) }, home);
  const url = `http://127.0.0.1:${port}`;
  await until(
    'the service is ready',
    () =>
      fetch(`${url}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    60_000,
  );
  const environment = {
    PATH: process.env.PATH ?? '',
    HOME: home,
    COUNTERSIGN_URL: url,
  };
  const shell = new DocumentShell(home, environment, { 'http://127.0.0.1:3000': url }, home);
  expect(await followDocument('README.md', shell)).toEqual([]);
  await service.stop();
});

it('every document that has commands to run is followed here', () => {
  const marked = execFileSync('git', ['grep', '-lE', '^ *```sh run', '--', '*.md'], {
    cwd: CHECKOUT,
    encoding: 'utf8',
  });
  expect(
    marked
      .trim()
      .split('\n')
      .filter((path) => !path.startsWith('docs/runbooks/'))
      .toSorted(),
  ).toEqual(['README.md', 'docs/deployment-guide.md', 'docs/operations-runbook.md']);
});
