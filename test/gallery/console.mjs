/**
 * Pictures of the console for docs/console.md: `node test/gallery/console.mjs`, after `npm run build`. Starts a service with an
 * embedded PostgreSQL. Needs Chromium (`CHROMIUM_PATH`). A folder as the argument: every view in both themes and three
 * widths, written there instead.
 */
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const [, , all] = process.argv;
const PICTURES = all ?? join(ROOT, 'docs', 'images', 'console');
const data = mkdtempSync(join(tmpdir(), 'countersign-console-'));

const port = await new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port: free } = server.address();
    server.close(() => resolve(free));
  });
});
const url = `http://127.0.0.1:${port}`;
const { PATH, HOME } = process.env;
const service = spawn(process.execPath, [join(ROOT, 'dist/src/main.js')], {
  env: { PATH, HOME, PORT: String(port), DATA_DIR: data, NODE_ENV: 'production' },
  stdio: 'ignore',
});
const isReady = () =>
  fetch(`${url}/health/ready`).then(
    ({ ok }) => ok,
    () => false,
  );
while (!(await isReady())) await sleep(200);
const keys = JSON.parse(readFileSync(join(data, 'keys.json'), 'utf8'));

async function call(key, method, path, body) {
  const answer = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
  return answer.json();
}

const cli = async (...words) => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(ROOT, 'dist/src/cli/countersign.js'), ...words, '--json'],
    { env: { PATH, HOME, DATA_DIR: data } },
  );
  return JSON.parse(stdout);
};

const POLICY = `# Rules of the shop. People first: who decides, and who may change this document.
version: 1
people:
  maria: { groups: [admins, leads] }
  sam: { groups: [sre] }
rules:
  - id: project-tests
    decision: allow
    match: { key: "*", tool: [Bash], command: { argv: [npm, test] }, cwd: /home/dev/shop }
    cases: { match: ["npm test"], not: ["npm test; id"] }
  - id: own-gates
    decision: deny
    match: { tool: [Write, Edit], path: ["**/.claude/**", "**/.git/hooks/**"] }
    say: Agents do not change their own gates.
  - id: production
    decision: ask
    match: { tool: [Bash], command: { mentions: [[terraform, apply], [kubectl]] } }
    class: critical
classes:
  critical: { approvals: 2, from: [sre, leads] }
`;
const READING = `  - id: read-git
    decision: allow
    match: { key: "*", tool: [Bash], command: { argv: [git, { any: [status, diff, log] }] } }
`;

/** Keys of an admin and of a person of the policy, and the policy. */
async function setUp() {
  const admin = await cli('keys', 'add', '--role', 'admin', '--name', 'maria-admin', '--owner', 'maria');
  const maria = await cli('keys', 'add', '--role', 'operator', '--name', 'maria-laptop', '--owner', 'maria');
  for (;;) {
    const answer = await fetch(`${url}/api/policy`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${admin.key}`,
        'content-type': 'application/yaml',
        'if-none-match': '*',
      },
      body: POLICY,
    });
    if (answer.ok) break;
    if (answer.status !== 401) throw new Error(await answer.text());
    await sleep(200);
  }
  const { version } = await call(admin.key, 'GET', '/api/policy');
  const next = POLICY.replace('  - id: own-gates', `${READING}  - id: own-gates`);
  const answer = await fetch(`${url}/api/policy`, {
    method: 'PUT',
    headers: {
      authorization: `Bearer ${admin.key}`,
      'content-type': 'application/yaml',
      'if-match': version,
    },
    body: next,
  });
  if (!answer.ok) throw new Error(await answer.text());
  keys.operator = maria.key;
}

const SHOP = { agentId: 'claude-code', sessionId: '7f3a-shop', cwd: '/home/dev/shop' };
const DATA = { agentId: 'codex', sessionId: 'c01d-reports', cwd: '/srv/reports' };
const ask = (more, seconds = 1500) =>
  call(keys.agent, 'POST', '/api/approvals', { ...SHOP, timeoutSeconds: seconds, ...more });
const decide = ({ id }, decision, reason = null) =>
  call(keys.operator, 'POST', `/api/approvals/${id}/decision`, { decision, reason });

const REFUNDS = `export function refund(order: Order): Refund {
  const cents = order.total - order.fees;
  if (cents < 0) throw new Error('negative refund');
  const rounded = Math.floor(cents);
  audit.write('refund', order.id, rounded);
  return { order: order.id, cents: rounded };
}
`;

async function play() {
  await ask({ toolName: 'Bash', toolInput: { command: 'npm test' } });
  await decide(await ask({ toolName: 'Bash', toolInput: { command: 'npm run build' } }), 'approved');
  await decide(
    await ask({
      toolName: 'Bash',
      toolInput: { command: 'rm -rf /var/backups/shop', description: 'Free disk space' },
    }),
    'rejected',
    'These are our only backups',
  );
  await decide(
    await ask({
      toolName: 'Edit',
      toolInput: {
        file_path: '/home/dev/shop/package.json',
        old_string: '"version": "1.4.0"',
        new_string: '"version": "1.5.0"',
      },
    }),
    'approved',
  );
  const edit = await ask({
    toolName: 'Edit',
    toolInput: {
      file_path: '/home/dev/shop/src/refunds.ts',
      old_string: REFUNDS,
      new_string: REFUNDS.replace('Math.floor(cents)', 'Math.round(cents)').replace(
        "audit.write('refund', order.id, rounded);",
        "audit.write('refund', order.id, rounded, { by: user.id });\n  metrics.refunds.inc();",
      ),
    },
  });
  await ask(
    {
      toolName: 'Bash',
      toolInput: { command: 'git push origin main && npm publish', description: 'Release 1.5.0' },
    },
    400,
  );
  const danger = await ask(
    {
      ...DATA,
      toolName: 'Bash',
      toolInput: { command: 'psql "$PROD" -c "delete from rep\u043erts where day < \'2026-01-01\'"\u200b' },
    },
    95,
  );
  await ask(
    {
      ...DATA,
      toolName: 'mcp__github__create_pull_request',
      toolInput: {
        owner: 'acme',
        repo: 'reports',
        title: 'Archive old reports',
        head: 'archive',
        base: 'main',
        draft: true,
        labels: ['data', 'cleanup'],
      },
    },
    1100,
  );
  return { edit, danger };
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--font-render-hinting=none'],
});

async function open(width, height, colorScheme) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme,
    deviceScaleFactor: all ? 1 : 1.5,
  });
  const page = await context.newPage();
  await page.goto(`${url}/console`);
  return page;
}

async function signIn(page) {
  await page.getByLabel('Operator key').fill(keys.operator);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByText('Live', { exact: true }).waitFor();
}

async function picture(page, name, path) {
  if (path) await page.goto(`${url}${path}`);
  await page.locator('h1:visible').first().waitFor();
  await page
    .getByText(/Live|Sign in/)
    .first()
    .waitFor();
  await page.locator('.spinner').first().waitFor({ state: 'detached' });
  if (path?.includes('/requests/')) await page.locator('.code, .decision').first().waitFor();
  if (path?.endsWith('/insight')) await page.locator('.plot canvas').nth(1).waitFor();
  if (path?.endsWith('place=edit'))
    await page
      .getByText(/has no findings|Error|Warning/)
      .first()
      .waitFor();
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}

try {
  mkdirSync(PICTURES, { recursive: true });
  await setUp();
  const { edit, danger } = await play();
  // A job counts a request within a minute.
  while ((await call(keys.operator, 'GET', '/api/insight')).total.approved < 3) await sleep(1000);
  const views = [
    ['inbox', '/console'],
    ['edit', `/console/requests/${edit.id}`],
    ['warning', `/console/requests/${danger.id}`],
    ['history', '/console/history'],
    ['grants', '/console/grants'],
    ['insight', '/console/insight'],
    ['audit', '/console/audit'],
    ['keys', '/console/keys'],
    ['policy', '/console/policy'],
    ['policy-edit', '/console/policy?place=edit'],
    ['policy-history', '/console/policy?place=history'],
    ['system', '/console/system'],
  ];
  const sizes = all
    ? [360, 768, 1440].flatMap((width) =>
        ['light', 'dark'].map((theme) => [width, width < 500 ? 740 : 900, theme, `-${width}-${theme}`]),
      )
    : [];
  for (const [width, height, theme, suffix] of sizes) {
    const page = await open(width, height, theme);
    await picture(page, `sign-in${suffix}`);
    await signIn(page);
    for (const [name, path] of views) await picture(page, `${name}${suffix}`, path);
    await page.context().close();
  }
  if (all) {
    await decide(edit, 'approved', 'Reviewed with the payments team');
    for (const [width, height, theme, suffix] of sizes) {
      const page = await open(width, height, theme);
      await signIn(page);
      await picture(page, `settled${suffix}`, `/console/requests/${edit.id}`);
      await page.keyboard.press('?');
      await page.screenshot({ path: join(PICTURES, `keys${suffix}.png`) });
      await page.context().close();
    }
  } else {
    const wide = await open(1280, 800, 'light');
    await signIn(wide);
    await picture(wide, 'request', `/console/requests/${edit.id}`);
    await picture(wide, 'history', '/console/history');
    await picture(wide, 'insight', '/console/insight');
    await picture(wide, 'policy', '/console/policy?place=edit');
    const phone = await open(390, 800, 'dark');
    await signIn(phone);
    await picture(phone, 'phone-inbox', '/console');
    await picture(phone, 'phone-request', `/console/requests/${danger.id}`);
  }
} finally {
  await browser.close();
  service.kill('SIGTERM');
  await new Promise((resolve) => service.once('exit', resolve));
  rmSync(data, { recursive: true, force: true });
}
