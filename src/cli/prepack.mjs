// Prepares `npm pack`: compiles libraries that are far larger than what runs of them into one file of dist/node_modules,
// takes them out of the dependencies, and removes comments and spaces from our own programs (docs/adr/0030).
// `node src/cli/prepack.mjs undo` restores the checkout.
import { build, transform } from 'esbuild';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';

const CHECKOUT = join(import.meta.dirname, '../..');
const MANIFEST = join(CHECKOUT, 'package.json');
/** Where the manifest is kept meanwhile; not under its own name, by which programs find their package. */
const KEPT = join(CHECKOUT, 'dist/manifest.json');
const COMPILED = join(CHECKOUT, 'dist/node_modules');
const FILE = join(COMPILED, 'libraries.js');
const PROGRAMS = join(CHECKOUT, 'dist/src');
/** Where the programs are kept meanwhile, as the build made them. */
const BUILT = join(CHECKOUT, 'dist/built');
/** Names stay: Nest.js and TypeORM read those of classes, and people those in a stack. */
const SMALL = { target: 'node20', minifySyntax: true, minifyWhitespace: true, lineLimit: 160 };

/**
 * Modules of the libraries, by the names under which the programs load them. By far the most of each library, or of the
 * packages that it needs, is source maps, types, copies for browsers and code that never runs here.
 */
const MODULES = {
  '@modelcontextprotocol/sdk': ['types.js', 'server/mcp.js'],
  '@nestjs/schedule': ['index.js'],
  '@nestjs/typeorm': ['index.js'],
  '@opentelemetry/api': ['index.js'],
  '@opentelemetry/exporter-trace-otlp-http': ['index.js'],
  '@opentelemetry/resources': ['index.js'],
  '@opentelemetry/sdk-trace-node': ['index.js'],
  luxon: ['index.js'],
  'nestjs-telegraf': ['index.js'],
  typeorm: ['index.js'],
};
const NAMES = Object.keys(MODULES);
const SPECIFIERS = NAMES.flatMap((name) =>
  MODULES[name].map((file) => ({ name, file, specifier: file === 'index.js' ? name : `${name}/${file}` })),
);

/** TypeORM loads the drivers of all databases; of each but PostgreSQL's, this leaves classes without code. */
const withoutOtherDatabases = {
  name: 'without-other-databases',
  setup({ onLoad }) {
    const drivers = readdirSync(join(CHECKOUT, 'node_modules/typeorm/driver'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !['postgres', 'types'].includes(entry.name))
      .map(({ name }) => name);
    onLoad({ filter: new RegExp(`typeorm/driver/(${drivers.join('|')})/`) }, () => ({
      contents:
        'module.exports = new Proxy({}, { get: (_, name) => (name === "__esModule" ? true : class {}) });',
    }));
  },
};

/**
 * nestjs-telegraf uses three functions of lodash, TypeORM would lay out SQL for a log that we do not have, and MCP's server
 * would validate what a client elicits from its user, which we never ask for.
 */
const inParts = {
  name: 'in-parts',
  setup({ onLoad }) {
    onLoad({ filter: /node_modules\/lodash\/lodash\.js$/ }, () => ({
      contents: ['isEmpty', 'flattenDeep', 'identity']
        .map((n) => `exports.${n} = require('./${n}');`)
        .join('\n'),
    }));
    onLoad({ filter: /sdk\/dist\/(cjs|esm)\/validation\/ajv-provider\.js$/ }, () => ({
      contents: 'exports.AjvJsonSchemaValidator = class {};',
    }));
    onLoad({ filter: /node_modules\/@sqltools\/formatter\// }, () => ({
      contents: 'exports.format = (sql) => sql;',
    }));
  },
};

/** Leaves a package that is not installed here, such as the client of another database, to be looked for at run time. */
const withoutMissingPackages = {
  name: 'without-missing-packages',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^[^./]/ }, async ({ path, pluginData, importer, kind, resolveDir }) => {
      if (pluginData === 'again') return undefined;
      const found = await resolve(path, { importer, kind, resolveDir, pluginData: 'again' });
      return found.errors.length === 0 ? found : { path, external: true };
    });
  },
};

function licencesOf(inputs) {
  const folders = inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []);
  return [...new Set(folders)].map((folder) => {
    const { name, version, license } = JSON.parse(
      readFileSync(join(CHECKOUT, folder, 'package.json'), 'utf8'),
    );
    const file = readdirSync(join(CHECKOUT, folder)).find((each) => /^licen[cs]e/i.test(each));
    const text = file === undefined ? license : readFileSync(join(CHECKOUT, folder, file), 'utf8').trim();
    return `${name} ${version}\n\n${text}\n`;
  });
}

async function compile(dependencies) {
  const { metafile } = await build({
    absWorkingDir: CHECKOUT,
    stdin: {
      contents: SPECIFIERS.map(({ specifier: s }) => `exports['${s}'] = () => require('${s}');`).join('\n'),
      resolveDir: CHECKOUT,
    },
    outfile: FILE,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    ...SMALL,
    minifyIdentifiers: true,
    keepNames: true,
    // Of modules in this form, only what is used goes in.
    mainFields: ['module', 'main'],
    legalComments: 'none',
    logLevel: 'error',
    metafile: true,
    external: dependencies.filter((name) => !NAMES.includes(name)),
    plugins: [withoutOtherDatabases, inParts, withoutMissingPackages],
  });
  for (const { name, file, specifier } of SPECIFIERS) {
    const stub = join(COMPILED, name, file);
    mkdirSync(dirname(stub), { recursive: true });
    const path = relative(dirname(stub), FILE);
    writeFileSync(stub, `module.exports = require('${path}')['${specifier}']();\n`);
  }
  const licences = licencesOf(Object.keys(metafile.inputs));
  writeFileSync(join(COMPILED, 'LICENSES'), licences.join(`\n${'-'.repeat(80)}\n\n`));
}

/**
 * Puts smaller programs in the place of those that the build made. Statements of modules that others import stay apart:
 * Node.js looks for the names that a CommonJS module exports in its text, and does not find them in a merged one.
 */
async function shrink({ exports }) {
  const offered = Object.values(exports).map((entry) => entry.default ?? entry);
  renameSync(PROGRAMS, BUILT);
  for (const file of readdirSync(BUILT, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const from = join(file.parentPath, file.name);
    const to = join(PROGRAMS, relative(BUILT, from));
    mkdirSync(dirname(to), { recursive: true });
    if (!to.endsWith('.js')) copyFileSync(from, to);
    else {
      const minifySyntax = !offered.includes(`./${relative(CHECKOUT, to)}`);
      writeFileSync(to, (await transform(readFileSync(from, 'utf8'), { ...SMALL, minifySyntax })).code);
    }
  }
}

function undo() {
  rmSync(COMPILED, { recursive: true, force: true });
  if (existsSync(BUILT)) {
    rmSync(PROGRAMS, { recursive: true, force: true });
    renameSync(BUILT, PROGRAMS);
  }
  if (existsSync(KEPT)) renameSync(KEPT, MANIFEST);
}

async function prepare() {
  const manifest = JSON.parse(readFileSync(MANIFEST, 'utf8'));
  await compile([...Object.keys(manifest.dependencies), ...Object.keys(manifest.optionalDependencies)]);
  await shrink(manifest);
  copyFileSync(MANIFEST, KEPT);
  const installed = Object.entries(manifest.dependencies).filter(([name]) => !NAMES.includes(name));
  manifest.dependencies = Object.fromEntries(installed);
  writeFileSync(MANIFEST, `${JSON.stringify(manifest, null, 2)}\n`);
}

undo();
if (process.argv[2] !== 'undo') await prepare();
