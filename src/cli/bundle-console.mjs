// Makes dist/console: the page of the console, from src/channels/console/page. The name of each file but index.html has a
// digest of its content.
import { build } from 'esbuild';
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';

const CHECKOUT = join(import.meta.dirname, '../..');
const PAGE = 'src/channels/console/page';
const FOLDER = join(CHECKOUT, 'dist/console');
const DRAFT = `${FOLDER}.${process.pid}`;
const ASSETS = '/console/assets';

rmSync(DRAFT, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: CHECKOUT,
  entryPoints: [`${PAGE}/main.tsx`, `${PAGE}/style.css`],
  outdir: DRAFT,
  entryNames: '[name]-[hash]',
  chunkNames: 'chunk-[hash]',
  publicPath: ASSETS,
  bundle: true,
  splitting: true,
  format: 'esm',
  // The package is CommonJS, and its tools would take .js for that.
  outExtension: { '.js': '.mjs' },
  target: ['es2023', 'chrome123', 'firefox121', 'safari17.5'],
  jsx: 'automatic',
  minify: true,
  define: { 'process.env.NODE_ENV': '"production"' },
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
  tsconfig: `${PAGE}/tsconfig.json`,
});

/** The file that was made from an entry point. */
function outputOf(entry, ending) {
  const [path] = Object.entries(metafile.outputs).find(
    ([name, { entryPoint }]) => entryPoint === `${PAGE}/${entry}` && name.endsWith(ending),
  );
  return `${ASSETS}/${basename(path)}`;
}

/** Each licence asks that its text goes wherever the code goes. */
function licences() {
  const folders = Object.keys(metafile.inputs).flatMap(
    (path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
  );
  return [...new Set(folders)].toSorted().map((folder) => {
    const { name, version, license } = JSON.parse(
      readFileSync(join(CHECKOUT, folder, 'package.json'), 'utf8'),
    );
    const file = readdirSync(join(CHECKOUT, folder)).find((each) => /^licen[cs]e/i.test(each));
    const text = file === undefined ? license : readFileSync(join(CHECKOUT, folder, file), 'utf8').trim();
    return `${name} ${version}\n\n${text}\n`;
  });
}

const page = readFileSync(join(CHECKOUT, PAGE, 'index.html'), 'utf8')
  .replace('SCRIPT', outputOf('main.tsx', '.mjs'))
  .replace('STYLE', outputOf('style.css', '.css'));
writeFileSync(join(DRAFT, 'index.html'), page);
copyFileSync(join(CHECKOUT, PAGE, 'icon.svg'), join(DRAFT, 'icon.svg'));
writeFileSync(join(DRAFT, 'licences.txt'), licences().join(`\n${'-'.repeat(80)}\n\n`));

// Whole or not at all: a service may be reading it.
mkdirSync(join(CHECKOUT, 'dist'), { recursive: true });
rmSync(FOLDER, { recursive: true, force: true });
renameSync(DRAFT, FOLDER);
const [, , report] = process.argv;
if (report !== undefined) writeFileSync(report, JSON.stringify(metafile));
