import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { AGENT_FILE, buildAgentFile } from '../support/agent-file';

/** Folders that the program for agents is made of: the agent's side, and pure parts of the service. */
const ROOMS = [
  /^src\/(kernel|agent-side|cards)\//,
  /^src\/receipts\/(verify-assertions|verify-receipt|verify-signature|receipt-claims|key-set)\.ts$/,
  // The names of secrets, which the agent must not get, and their shapes, which no message shows.
  /^src\/config\//,
  /^src\/logging\/redact\.ts$/,
  // Words and rules that the service and the agent's side share.
  /^src\/(agents\/answers|approvals\/approval)\.ts$/,
  // Of the programs, the commands that the entry names and what these print with.
  /^src\/cli\/(countersign-agent|command-line|commands\/(acp-proxy|approvals|connect|doctor-agents|hook|receipt|run)|file-trouble|key-set-file|output|public-answer|service-options|service-url)\.ts$/,
  /^src\/cli\/(approvals|connect|run)\//,
];
const PACKAGES = [
  '@agentclientprotocol/sdk',
  '@decimalturn/toml-patch',
  'canonicalize',
  'commander',
  'diff',
  'jose',
  'jsonc-parser',
  'zod',
];
const MAX_BYTES = 1_000_000;

interface Metafile {
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, { readonly imports: readonly { path: string }[] }>>;
}

let modules: readonly string[];
let metafile: Metafile;

beforeAll(() => {
  const directory = mkdtempSync(join(tmpdir(), 'countersign-agent-file-'));
  const report = join(directory, 'metafile.json');
  buildAgentFile(report);
  metafile = JSON.parse(readFileSync(report, 'utf8')) as Metafile;
  modules = Object.keys(metafile.inputs);
  rmSync(directory, { recursive: true });
});

describe('the program for agents', () => {
  it('holds the agent’s side and nothing of a server', () => {
    const ours = modules.filter((path) => !path.startsWith('node_modules/'));
    expect(ours.filter((path) => !ROOMS.some((room) => room.test(path)))).toEqual([]);
    expect(ours).toContain('src/agent-side/client.ts');
  });

  it('holds few libraries, each with its licence', () => {
    const packages = new Set(
      modules.flatMap((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []),
    );
    expect([...packages].toSorted()).toEqual(PACKAGES);
    const text = readFileSync(AGENT_FILE, 'utf8');
    for (const name of ['countersign', ...PACKAGES]) expect(text).toContain(`\n// ${name}\n//\n`);
    expect(text.match(/^\/\/ .*Licen[cs]e/gm)?.length).toBeGreaterThanOrEqual(PACKAGES.length);
  });

  it('leaves out messages in other languages', () => {
    const locales = modules.filter((path) => /^node_modules\/zod\/.*locales\//.test(path));
    expect(locales.map((path) => basename(path)).toSorted()).toEqual(['en.js', 'index.js']);
  });

  it('needs nothing but Node.js, and is small', () => {
    const imports = Object.values(metafile.outputs).flatMap((output) =>
      output.imports.map(({ path }) => path),
    );
    expect(imports.filter((path) => !isBuiltin(path))).toEqual([]);
    expect(readFileSync(AGENT_FILE).length).toBeLessThan(MAX_BYTES);
  });
});
