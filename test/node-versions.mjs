// npm run test:node [-- VERSION…]: unit and integration tests on every supported line of Node.js, and on the newest.
// The binaries come from npm, as the packages `node-PLATFORM-ARCH`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const SUPPORTED = ['20', '22', '24', 'latest'];
const PACKAGE = `node-${process.platform}-${process.arch}`;
const JEST = ['node_modules/jest/bin/jest.js', '--config', 'test/config/jest.config.cjs', '--silent'];

const run = (file, args, env = process.env) => spawnSync(file, args, { stdio: 'inherit', env }).status === 0;

function testOn(version) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-node-'));
  try {
    if (!run('npm', ['install', '--silent', '--no-audit', '--prefix', folder, `${PACKAGE}@${version}`]))
      return 'not installed';
    const binaries = join(folder, 'node_modules', PACKAGE, 'bin');
    const node = join(binaries, 'node');
    const exact = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
    console.log(`\n==> Node.js ${exact}`);
    // Tests start programs as `node` too.
    const env = { ...process.env, PATH: `${binaries}${delimiter}${process.env.PATH}` };
    return `${exact} ${run(node, JEST, env) ? 'passed' : 'failed'}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const [, , ...asked] = process.argv;
const results = (asked.length > 0 ? asked : SUPPORTED).map((version) => [version, testOn(version)]);
console.log(`\n${results.map(([version, result]) => `Node.js ${version}: ${result}`).join('\n')}`);
process.exitCode = results.every(([, result]) => result.endsWith('passed')) ? 0 : 1;
