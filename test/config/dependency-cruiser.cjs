/** The import rules; docs/architecture.md gives the reasons. */
const only = (name, folder, allowed) => ({
  name,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: '^(src|migrations)/', pathNot: [`^src/${folder}/`, ...allowed] },
});

const library = (name, pattern, rooms) => ({
  name,
  severity: 'error',
  from: { path: '^(src|migrations)/', pathNot: rooms },
  to: { path: `node_modules/(${pattern})/` },
});

/**
 * A folder imports only folders before it. The files directly in src compose, and import everything. The command line
 * is a program too: it gives its data source the entities.
 */
const FLOORS = [
  'kernel',
  'config',
  'logging',
  'tracing',
  'database',
  'resilience',
  'http',
  'receipts',
  'audit',
  'access',
  'outbox',
  'people',
  'policy',
  'approvals',
  'retention',
  'cards',
  'channels',
  'agents',
  'operations',
  'agent-side',
  'cli',
];
const noUpwardArrows = FLOORS.map((folder, floor) => ({
  name: `${folder}-imports-nothing-above-it`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: {
    path: ['^src/[^/]+$', ...FLOORS.slice(floor + 1).map((above) => `^src/${above}/`)],
    ...(folder === 'cli' && { pathNot: '^src/entities\\.ts$' }),
  },
}));

/** Modules compose; everything else stays in its own folder or uses what is listed. */
const MODULES = '^src/(.*\\.module|main|app)\\.ts$';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    ...noUpwardArrows,
    { name: 'no-orphans', severity: 'error', from: { orphan: true, pathNot: ['main\\.ts$'] }, to: {} },
    {
      name: 'kernel-imports-nothing-of-ours',
      severity: 'error',
      from: { path: '^src/kernel/' },
      to: { path: '^src/', pathNot: '^src/kernel/' },
    },
    {
      name: 'domain-imports-only-kernel',
      severity: 'error',
      from: { path: '^src/approvals/approval\\.ts$' },
      to: { path: '^src/', pathNot: '^src/kernel/' },
    },
    {
      name: 'commands-and-queries-see-domain-and-ports',
      severity: 'error',
      from: { path: '^src/approvals/(commands|queries)/' },
      to: {
        path: '^src/',
        pathNot: [
          '^src/kernel/',
          '^src/config/environment\\.ts$',
          '^src/approvals/(approval|approval-events|approval-store|finished-approvals|grant-actor|new-request|policy-request-of|receipts-of|settlement-feed|turns)\\.ts$',
          '^src/access/rate-limits\\.ts$',
          '^src/approvals/(commands|queries)/',
          '^src/tracing/tracing\\.ts$',
          '^src/receipts/receipts\\.ts$',
          '^src/policy/(active-policy|request-history|tool-shapes)\\.ts$',
          '^src/policy/grants/(grant-store|offers|open-grants|scope)\\.ts$',
        ],
      },
    },
    only('config-stands-alone', 'config', ['^src/kernel/']),
    only('logging-stands-alone', 'logging', ['^src/kernel/']),
    only('tracing-knows-no-domain', 'tracing', [
      '^src/kernel/',
      '^src/logging/',
      '^src/config/environment\\.ts$',
    ]),
    only('resilience-is-generic', 'resilience', ['^src/kernel/']),
    {
      name: 'the-rules-of-a-policy-are-pure',
      severity: 'error',
      from: {
        path: '^src/policy/(check|compare|document|evaluation|matchers|shell)/|^src/policy/grants/(offers|scope)\\.ts$',
      },
      to: {
        path: '^src/',
        pathNot: [
          '^src/kernel/',
          '^src/policy/(check|compare|document|evaluation|matchers|shell)/',
          '^src/policy/grants/(offers|scope)\\.ts$',
          '^src/people/(roster|rota)\\.ts$',
          '^src/policy/starter/reading-commands\\.ts$',
          '^src/policy/tool-shapes\\.ts$',
        ],
      },
    },
    only('sandbox-is-a-program-of-its-own', 'sandbox', ['^src/kernel/']),
    {
      name: 'the-app-never-imports-the-sandbox',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/sandbox/' },
      to: { path: '^src/sandbox/' },
    },
    {
      name: 'telegram-acts-through-commands-and-queries',
      severity: 'error',
      from: { path: '^src/channels/telegram/(operators|updates|bot-api)/', pathNot: MODULES },
      to: { path: '^src/(approvals|outbox|channels)/.*-store\\.ts$' },
    },
    {
      name: 'an-agent-never-imports-another',
      severity: 'error',
      from: { path: '^src/agents/([^/]+)/' },
      to: { path: '^src/agents/[^/]+/', pathNot: '^src/agents/$1/' },
    },
    {
      name: 'adapters-are-plugged-in-at-one-place',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/agents/adapters\\.ts$', '^src/agents/[^/]+/'] },
      to: { path: '^src/agents/[^/]+/' },
    },
    {
      name: 'connectors-act-through-commands-and-queries',
      severity: 'error',
      from: { path: '^src/agents/', pathNot: MODULES },
      to: { path: '-store\\.ts$' },
    },
    {
      name: 'controllers-act-through-commands-and-queries',
      severity: 'error',
      from: { path: '\\.controller\\.ts$' },
      to: { path: '-store\\.ts$' },
    },
    library('typeorm-and-pg-stay-with-the-database', 'typeorm|pg|@nestjs/typeorm', [
      '^src/database/',
      '-store\\.ts$',
      '(\\.entity|\\.entities)\\.ts$',
      '^migrations/',
    ]),
    {
      name: 'the-client-runs-on-any-agent’s-machine',
      severity: 'error',
      from: { path: '^src/agent-side/client(/|\\.ts$)' },
      to: {
        path: '^src/|node_modules/@nestjs',
        pathNot: [
          '^src/agent-side/client(/|\\.ts$)',
          '^src/kernel/',
          '^src/receipts/(verify-receipt|key-set)\\.ts$',
        ],
      },
    },
    library('cockatiel-stays-in-resilience', 'cockatiel', ['^src/resilience/']),
    library('telegraf-stays-in-telegram', 'telegraf|nestjs-telegraf', ['^src/channels/telegram/']),
    {
      name: 'no-dev-dependencies-in-the-product',
      severity: 'error',
      // These build, and never run in an installation.
      from: { path: '^(src|migrations)/', pathNot: '^src/cli/(bundle-agent|bundle-console|prepack)\\.mjs$' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    exclude: { path: '^src/(sandbox|channels/console)/page/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
