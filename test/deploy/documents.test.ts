import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { DocumentShell, followDocument, stepsOf, unexplainedCommands } from '../support/documents';
import { prepareInstallation, type Installation } from '../support/installation';
import { CHECKOUT, cleanUp, freePort, Program, temporaryDirectory } from '../support/processes';
import { until } from '../support/until';

let machine: Installation;

beforeAll(async () => {
  machine = await prepareInstallation();
});
afterAll(async () => {
  await machine.stop();
  await cleanUp();
});

/** Waits for the request of a background command; the next commands decide it. */
async function somebodyWaits(url: string, key: string): Promise<void> {
  await until('a request is pending', async () => {
    const answer = await fetch(`${url}/api/approvals?status=pending`, {
      headers: { authorization: `Bearer ${key}` },
    });
    return ((await answer.json()) as { items: unknown[] }).items.length > 0;
  });
}

it('docs/deployment-guide.md, followed word for word, ends with two replicas that work', async () => {
  const key = join(machine.directory, 'etc/countersign/operator-api-key');
  const begun = () => somebodyWaits(machine.replica('3001'), readFileSync(key, 'utf8').trim());
  expect(await followDocument('docs/deployment-guide.md', machine.shell(), begun)).toEqual([]);
  for (const port of ['3001', '3002'] as const) {
    expect((await fetch(`${machine.replica(port)}/health/ready`)).status).toBe(200);
  }
});

it('docs/operations-runbook.md says what its commands say', async () => {
  expect(await followDocument('docs/operations-runbook.md', machine.shell())).toEqual([]);
});

describe('beside a service on its defaults', () => {
  let home: string;
  let service: Program;
  let url: string;

  beforeAll(async () => {
    home = join(temporaryDirectory('countersign-readme-'), 'countersign');
    mkdirSync(home);
    for (const part of ['package.json', 'tsconfig.json', 'src', 'migrations', 'dist']) {
      cpSync(join(CHECKOUT, part), join(home, part), {
        recursive: true,
        preserveTimestamps: true,
      });
    }
    symlinkSync(join(CHECKOUT, 'node_modules'), join(home, 'node_modules'));
    const port = await freePort();
    service = new Program(process.execPath, ['dist/src/main.js'], { PORT: String(port) }, home);
    url = `http://127.0.0.1:${port}`;
    await until(
      'the service is ready',
      () =>
        fetch(`${url}/health/ready`).then(
          ({ ok }) => ok,
          () => false,
        ),
      60_000,
    );
  });
  afterAll(() => service.stop());

  it.each([
    'README.md',
    'docs/api-keys.md',
    'docs/audit-stream.md',
    'docs/connectors.md',
    'docs/rest-api.md',
  ])('%s says what its commands say', async (page) => {
    const environment = {
      PATH: process.env.PATH ?? '',
      HOME: home,
      COUNTERSIGN_URL: url,
    };
    const shell = new DocumentShell(home, environment, { 'http://127.0.0.1:3000': url }, home);
    const { operator } = JSON.parse(readFileSync(join(home, '.data/keys.json'), 'utf8')) as {
      operator: string;
    };
    expect(await followDocument(page, shell, () => somebodyWaits(url, operator))).toEqual([]);
  });
});

describe('every document', () => {
  const pages = (pattern: string) =>
    execFileSync('git', ['grep', '-lE', pattern, '--', '*.md'], {
      cwd: CHECKOUT,
      encoding: 'utf8',
    })
      .trim()
      .split('\n')
      .toSorted();

  it('that has commands to run is followed, all of them: here, or with the fault that they are for', () => {
    const followed = pages('^ *```sh run');
    expect(followed.filter((path) => !path.startsWith('docs/runbooks/'))).toEqual([
      'README.md',
      'docs/api-keys.md',
      'docs/audit-stream.md',
      'docs/connectors.md',
      'docs/deployment-guide.md',
      'docs/operations-runbook.md',
      'docs/rest-api.md',
    ]);
    for (const path of followed) {
      const marked = readFileSync(join(CHECKOUT, path), 'utf8').match(/^ *```sh run/gm);
      expect([path, stepsOf(path).length]).toEqual([path, marked?.length]);
    }
  });

  it('says of every other command why it is not run', () => {
    expect(pages('^ *```(sh|bash|shell|console)').flatMap(unexplainedCommands)).toEqual([]);
  });
});
