/** The requests of the gallery: one for every kind of card. */

const SESSION = '7b3f9c52-41d8-4c1e-9a5e-2f6d8e0b1a34';

let number = 0;

export function aRequest(toolName, toolInput, changes = {}) {
  number += 1;
  const createdAt = new Date(Math.floor(Date.now() / 60_000) * 60_000);
  return {
    id: `019fbc3e-7a00-7000-8000-0123456789${(0xa0 + number).toString(16)}`,
    keyId: 'olivias-laptop',
    owner: 'olivia',
    agentId: 'olivias-laptop',
    sessionId: SESSION,
    toolName,
    toolInput,
    toolUseId: null,
    summary: null,
    cwd: '/home/dev/shop',
    metadata: { claudeCode: { event: 'PreToolUse', permissionMode: 'default' } },
    connector: 'claude-code',
    policy: null,
    inputDigest: `sha256:${'0'.repeat(64)}`,
    correlationId: 'gallery',
    traceparent: null,
    createdAt,
    expiresAt: new Date(createdAt.getTime() + 30 * 60_000),
    status: 'pending',
    ...changes,
  };
}

const subagent = (subagentType) => ({
  claudeCode: { event: 'PreToolUse', permissionMode: 'default', subagentId: 'a91f', subagentType },
});

const lines = (count, write) => Array.from({ length: count }, (_, i) => write(i + 1)).join('\n');

const PAYMENTS = lines(30, (i) =>
  i === 4 ? 'mode: test' : i === 24 ? 'retries: 3' : `setting_${i}: ${i % 5 === 0 ? 'off' : 'on'}`,
);

const PRICES = lines(160, (i) => `  { name: 'product ${i}', price: ${2000 + i}, currency: 'eur' },`);

const WEBHOOK = `import { createHmac, timingSafeEqual } from 'node:crypto';

/** True if Stripe signed the body. */
export function isGenuine(body: Buffer, header: string, secret: string): boolean {
  const [time, signature] = parse(header);
  const expected = createHmac('sha256', secret).update(\`\${time}.\${body}\`).digest();
  return timingSafeEqual(expected, Buffer.from(signature, 'hex'));
}
`;

const QUERY = `update orders
   set state = 'refunded', refunded_at = now()
 where state = 'paid'
   and created_at < now() - interval '90 days'
returning id, total_cents;`;

const PATCH = `*** Begin Patch
*** Update File: src/cart.ts
@@ export function total
-  return items.reduce((sum, item) => sum + item.price, 0);
+  return items.reduce((sum, item) => sum + item.price * item.count, 0);
*** Delete File: src/cart-old.ts
*** End Patch
`;

const PLAN = `## Plan

1. Add \`count\` to the cart's items
2. Migrate the \`carts\` table
3. Show the count in the basket

The migration locks \`carts\` for about a second.
`;

/** Names of the pictures, and what each shows. */
export const REQUESTS = {
  run: aRequest('Bash', {
    command: 'npm run migrate -- --env staging',
    description: 'Migrate the staging database',
  }),
  'run-outside-the-sandbox': aRequest(
    'Bash',
    {
      command: 'docker compose up -d --build',
      description: 'Start the shop',
      run_in_background: true,
      dangerouslyDisableSandbox: true,
      timeout: 120_000,
    },
    {
      policy: {
        version: 'sha256:0',
        decision: 'ask',
        rules: [],
        class: 'normal',
        tokens: [],
        say: null,
        doubt: { reason: 'command', words: 'no rule allows docker compose' },
        shadow: null,
      },
    },
  ),
  'run-with-a-here-document': aRequest('Bash', {
    command: `cat > deploy/nginx.conf <<'EOF'\nserver {\n  listen 443 ssl;\n  server_name shop.example;\n  location / { proxy_pass http://app:3000; }\n}\nEOF\nnginx -t && nginx -s reload`,
    description: 'Publish the new proxy settings',
  }),
  'run-a-long-script': aRequest('Bash', {
    command: `#!/usr/bin/env bash\n# Moves old orders to the archive\nset -euo pipefail\n${lines(40, (i) => `psql -c "call archive_orders(${2025 - (i % 9)}, ${i})"`)}`,
    description: 'Archive old orders',
  }),
  'run-with-look-alikes': aRequest('Bash', { command: 'ѕudo rm -rf /var/cache/\u202eshop' }),
  edit: aRequest('Edit', {
    file_path: '/home/dev/shop/config/payments.yaml',
    old_string: PAYMENTS,
    new_string: PAYMENTS.replace('mode: test', 'mode: live').replace('retries: 3', 'retries: 5'),
  }),
  'edit-by-a-subagent': aRequest(
    'Edit',
    {
      file_path: '/home/dev/shop/src/cart.ts',
      old_string: '  return items.reduce((sum, item) => sum + item.price, 0);',
      new_string: '  return items.reduce((sum, item) => sum + item.price * item.count, 0);',
      replace_all: true,
    },
    { metadata: subagent('code-reviewer') },
  ),
  'edit-several': aRequest('MultiEdit', {
    file_path: '/home/dev/shop/src/checkout.ts',
    edits: [
      { old_string: "const currency = 'usd';", new_string: 'const currency = order.currency;' },
      { old_string: 'amount * 100', new_string: 'toCents(amount)', replace_all: true },
      { old_string: '// TODO: refunds\n', new_string: '' },
    ],
  }),
  patch: aRequest('apply_patch', { input: PATCH }),
  write: aRequest('Write', { file_path: '/home/dev/shop/src/webhook.ts', content: WEBHOOK }),
  'write-a-large-file': aRequest('Write', {
    file_path: '/home/dev/shop/src/countries.ts',
    content: `export const COUNTRIES = [\n${lines(180, (i) => `  { code: 'C${i}', name: 'Country number ${i}', vat: ${i % 25} },`)}\n];\n`,
  }),
  'edit-a-long-text': aRequest('Edit', {
    file_path: '/home/dev/shop/src/prices.ts',
    old_string: PRICES,
    new_string: PRICES.replace('product 57', 'product 057').replace('2057,', '1057,'),
  }),
  'change-a-cell': aRequest('NotebookEdit', {
    notebook_path: '/home/dev/shop/analysis/revenue.ipynb',
    cell_id: '7',
    edit_mode: 'replace',
    new_source: "orders = load('orders')\norders.groupby('country').total.sum().plot.bar()",
  }),
  'delete-a-cell': aRequest('NotebookEdit', {
    notebook_path: '/home/dev/shop/analysis/revenue.ipynb',
    cell_id: '7',
    edit_mode: 'delete',
    new_source: '',
  }),
  fetch: aRequest('WebFetch', {
    url: 'https://docs.stripe.com/webhooks/signature?lang=node',
    prompt: 'How is the signature checked?',
  }),
  'sql-by-mcp': aRequest('mcp__postgres__query', { database: 'shop', sql: QUERY, timeout_ms: 5_000 }),
  'pull-request-by-mcp': aRequest('mcp__github__create_pull_request', {
    owner: 'acme',
    repo: 'shop',
    title: 'Check the signature of Stripe webhooks',
    body: '## Why\n\nAnybody could post a payment.\n\n## How\n\n- compare in constant time\n- refuse without the header',
    base: 'main',
    head: 'webhooks',
    draft: false,
  }),
  subagent: aRequest('Agent', {
    subagent_type: 'security-reviewer',
    description: 'Review the webhook',
    prompt:
      'Read src/webhook.ts.\n\nLook for:\n- comparisons that leak time\n- bodies parsed before they are checked',
  }),
  plan: aRequest('ExitPlanMode', { plan: PLAN }),
  powershell: aRequest('PowerShell', {
    command: 'Get-Service shop* |\n  Where-Object Status -eq Stopped |\n  Restart-Service -Force',
    description: 'Restart stopped services',
  }),
  question: aRequest('AskUserQuestion', {
    questions: [
      {
        question: 'Which database should the shop use?',
        header: 'Database',
        multiSelect: false,
        options: [
          { label: 'PostgreSQL', description: 'As in production' },
          { label: 'SQLite', description: 'No server' },
        ],
      },
    ],
  }),
};

/** Requests with data: a picture, and a program that is called one. */
export const withData = (picture) => ({
  'picture-by-mcp': aRequest('mcp__slack__post_message', {
    channel: '#shop',
    text: 'Revenue of this week',
    attachments: [{ type: 'image', data: picture.toString('base64'), mimeType: 'image/png' }],
  }),
  'data-by-mcp': aRequest('mcp__drive__upload', {
    folder: 'invoices',
    name: 'invoice.png',
    content: `data:image/png;base64,${Buffer.concat([Buffer.from('4d5a9000', 'hex'), Buffer.alloc(6_000, 7)]).toString('base64')}`,
  }),
});

const by = { kind: 'person', channel: 'telegram', id: '1', name: 'Olivia' };
const ended = (request, changes) => ({
  ...request,
  settledAt: new Date(request.createdAt.getTime() + 70_000),
  receipt: 'a.b.c',
  acknowledged: null,
  ...changes,
});

export const OUTCOMES = {
  approved: ended(REQUESTS.edit, {
    status: 'approved',
    decision: { by, reason: null },
    acknowledged: 'ran',
  }),
  rejected: ended(REQUESTS['run-outside-the-sandbox'], {
    status: 'rejected',
    decision: { by, reason: 'Not while the tests run.' },
  }),
  expired: ended(REQUESTS.run, { status: 'expired', by: { kind: 'system', cause: 'timeout' }, reason: null }),
};

const TURN = [
  REQUESTS.run,
  REQUESTS.edit,
  aRequest('Bash', { command: 'git diff --stat && npm run lint', description: 'Check the change' }),
  REQUESTS['write-a-large-file'],
];

/** The calls of summaries. */
export const TURNS = {
  turn: TURN,
  'turn-in-part': TURN.map((request, i) =>
    i === 0
      ? ended(request, { status: 'approved', decision: { by, reason: null } })
      : i === 2
        ? ended(request, { status: 'rejected', decision: { by, reason: null } })
        : request,
  ),
  'turn-decided': TURN.map((request) =>
    ended(request, { status: 'approved', decision: { by, reason: null } }),
  ),
};
