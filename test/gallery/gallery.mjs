/**
 * Pictures of every kind of card as the sandbox's chat page shows them on a phone: `node test/gallery/gallery.mjs`, after
 * `npx tsc -b`. Writes `docs/images/cards`; with `GALLERY_UNFOLDED` also, into that folder, the cards with every fold open. Needs
 * Chromium (`CHROMIUM_PATH`). Names as arguments: only these.
 */
/* global FormData, File */
import console from 'node:console';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { OUTCOMES, REQUESTS, TURNS, withData } from './cards.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const compiled = createRequire(join(ROOT, 'dist', 'src', 'index.js'));
const { renderCard, renderFileCaption, renderOutcome } = compiled('./cards/card-text.js');
const { MAX_MESSAGE_LENGTH, writeButtons, writeText } = compiled('./channels/telegram/dialect.js');
const { buttonsFor, reasonButtons, replyButtons, turnButtons } = compiled(
  './channels/telegram/card-buttons.js',
);
const { offerButtons, revokeButton } = compiled('./channels/telegram/operators/taps.js');
const { renderGranted, renderGrantOffers } = compiled('./cards/grant-text.js');
const { renderReasonOffers, renderReplyOffer } = compiled('./cards/words-text.js');
const { isQuestion } = compiled('./kernel/question-tools.js');
const { renderTurn } = compiled('./cards/turn-text.js');
const { startSandbox } = compiled('./sandbox/sandbox-server.js');

const PHONE = { width: 390, height: 844 };
const TOKEN = `42:${'x'.repeat(35)}`;
const CHAT = -1001;
const NONCE = 'n'.repeat(22);
const PERSON = { kind: 'person', channel: 'telegram', id: '1', name: 'Olivia' };
const FORM = { html: true, times: true, folds: true, styles: true };
const PICTURES = join(ROOT, 'docs', 'images', 'cards');

const only = process.argv.slice(2);
const sandbox = await startSandbox({ port: 0 });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--font-render-hinting=none'],
});
const page = await browser.newPage({ viewport: PHONE, deviceScaleFactor: 1.5 });
mkdirSync(PICTURES, { recursive: true });

async function call(method, body) {
  const answer = await (
    await fetch(`${sandbox.url}/bot${TOKEN}/${method}`, {
      method: 'POST',
      ...(body instanceof FormData
        ? { body }
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
  ).json();
  if (!answer.ok) throw new Error(`${method}: ${answer.description}`);
}

async function upload(method, field, file, caption) {
  const form = new FormData();
  form.append('chat_id', String(CHAT));
  for (const [name, value] of Object.entries(writeText('caption', caption, FORM))) form.append(name, value);
  form.append(field, new File([file.bytes], file.fileName));
  await call(method, form);
}

async function send(message, buttons = []) {
  await call('sendMessage', {
    chat_id: CHAT,
    ...writeText('text', message, FORM),
    ...(buttons.length > 0 ? { reply_markup: writeButtons(buttons, FORM) } : {}),
  });
}

/** Takes a picture of the chat with these messages. */
async function picture(name, post) {
  if (only.length > 0 && !only.includes(name)) return;
  await fetch(`${sandbox.url}/sandbox/state`, { method: 'DELETE' });
  await post();
  await page.setViewportSize(PHONE);
  await page.goto(`${sandbox.url}/`);
  await page.locator('.message').last().waitFor();
  await page.waitForFunction(`[...document.images].every((image) => image.complete)`);
  // The page scrolls a part of the chat; a picture shows all of it, on a plain ground, which makes it small.
  await page.setViewportSize({ ...PHONE, height: 6_000 });
  await page.evaluate(`document.getElementById('scroller').style.background = '#dfe5ee'`);
  const chat = page.locator('#messages');
  await chat.screenshot({ path: join(PICTURES, `${name}.png`) });
  if (process.env.GALLERY_UNFOLDED) {
    for (const toggle of await page.locator('.expand').all()) await toggle.click();
    await chat.screenshot({ path: join(process.env.GALLERY_UNFOLDED, `${name}.png`) });
  }
  console.log(name);
}

await page.setContent(
  `<svg id="chart" width="600" height="300" style="background: white">${[90, 140, 120, 200, 170, 240, 260]
    .map(
      (height, i) =>
        `<rect x="${40 + i * 76}" y="${290 - height}" width="52" height="${height}" fill="#5b5bd6"/>`,
    )
    .join('')}</svg>`,
);
const chart = await page.locator('#chart').screenshot();

for (const [name, request] of Object.entries({ ...REQUESTS, ...withData(chart) })) {
  const card = renderCard(request, MAX_MESSAGE_LENGTH);
  await picture(name, async () => {
    for (const file of card.files) {
      const [method, field] = file.isPhoto ? ['sendPhoto', 'photo'] : ['sendDocument', 'document'];
      await upload(method, field, file, renderFileCaption(request, file));
    }
    await send(card, buttonsFor(request, NONCE, { grants: !isQuestion(request) }));
  });
}
for (const [name, approval] of Object.entries(OUTCOMES)) {
  await picture(name, () => send(renderOutcome(approval, MAX_MESSAGE_LENGTH)));
}

const OFFERS = [
  { id: 'a', words: 'Bash: npm run migrate', covered: 14 },
  { id: 'b', words: 'Bash: any npm command', covered: 61 },
];
const GRANTED = {
  scope: 'Bash: npm run migrate',
  by: PERSON,
  expiresAt: new Date(Math.floor(Date.now() / 60_000) * 60_000 + 3_600_000),
  usesLeft: null,
};
await picture('why', () => send(renderReasonOffers(), reasonButtons(NONCE)));
await picture('words', () =>
  send(renderReplyOffer('Use the staging database first.', REQUESTS.run), replyButtons(NONCE)),
);
await picture('grant-offers', () =>
  send(renderGrantOffers(OFFERS), offerButtons({ kind: 'grants-offered', offers: OFFERS, nonce: NONCE })),
);
await picture('granted', () => send(renderGranted(GRANTED), [revokeButton('0'.repeat(32))]));
for (const [name, approvals] of Object.entries(TURNS)) {
  const calls = approvals.map((approval, i) => ({
    number: i + 1,
    approval,
    hasFiles: renderCard(approval, MAX_MESSAGE_LENGTH).files.length > 0,
  }));
  const pending = approvals.filter(({ status }) => status === 'pending').length;
  const buttons = pending < 2 ? [] : turnButtons(NONCE, `sha256:${'0'.repeat(64)}`, pending);
  await picture(name, () => send(renderTurn(calls, MAX_MESSAGE_LENGTH), buttons));
}
await browser.close();
await sandbox.close();
