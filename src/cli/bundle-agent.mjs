// Makes dist/agent/countersign-agent.cjs: the commands of an agent's machine and all that they import, in one file.
// With an argument, also writes there which modules went in.
import { build } from 'esbuild';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CHECKOUT = join(import.meta.dirname, '../..');
const FOLDER = join(CHECKOUT, 'dist/agent');
const FILE = join(FOLDER, 'countersign-agent.cjs');

/** Of zod's messages in forty languages, only the English ones are printed; the others are 40 % of the file. */
const inEnglish = {
  name: 'in-english',
  setup({ onLoad }) {
    onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: `export { default as en } from './en.js';`,
    }));
  },
};

const { version } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8'));

const { outputFiles, metafile } = await build({
  absWorkingDir: CHECKOUT,
  entryPoints: ['src/cli/countersign-agent.ts'],
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  minify: true,
  define: { BUNDLED_VERSION: JSON.stringify(version) },
  legalComments: 'none',
  metafile: true,
  write: false,
  plugins: [inEnglish],
  // Its other form loads its parts in a way that no bundler sees.
  alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
  outfile: FILE,
});

/** Each licence asks that its text goes wherever the code goes. */
function licences() {
  const folders = Object.keys(metafile.inputs).flatMap(
    (path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
  );
  return ['.', ...new Set(folders)].map((folder) => {
    const file = readdirSync(join(CHECKOUT, folder)).find((name) => /^licen[cs]e/i.test(name));
    if (file === undefined) throw new Error(`${folder} has no licence to give on`);
    const { name } = JSON.parse(readFileSync(join(CHECKOUT, folder, 'package.json'), 'utf8'));
    return `${name}\n\n${readFileSync(join(CHECKOUT, folder, file), 'utf8').trim()}\n\n`;
  });
}

const comment = licences()
  .join('\n')
  .split('\n')
  .map((line) => `// ${line}`.trimEnd());

mkdirSync(FOLDER, { recursive: true });
// Whole or not at all: a service may be handing it out.
const draft = `${FILE}.${process.pid}`;
writeFileSync(draft, `${outputFiles[0].text}${comment.join('\n')}\n`, { mode: 0o755 });
renameSync(draft, FILE);
const [, , report] = process.argv;
if (report !== undefined) writeFileSync(report, JSON.stringify(metafile));
