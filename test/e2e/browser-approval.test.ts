import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';
import { shortId } from '../../src/cards/short-id';
import { setStage, strike, type Stage } from '../support/stage';

const CHROMIUM = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
const hasBrowser = existsSync(CHROMIUM);
if (!hasBrowser) {
  console.warn(`SKIPPED: tapping in a browser was not tested, no browser at ${CHROMIUM} (set CHROMIUM_PATH)`);
}

(hasBrowser ? describe : xdescribe)('a person at the chat page', () => {
  let stage: Stage;
  let browser: Browser;

  beforeAll(async () => {
    stage = await setStage();
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  });
  afterAll(async () => {
    await browser.close();
    await strike();
  });

  it('taps Approve, the waiting agent goes on, and the page shows the outcome without buttons', async () => {
    const page = await browser.newPage();
    await page.goto(`${stage.chat.url}/`);
    const { body: approval } = await stage.api.enqueue({ toolInput: { command: 'make <release>' } });
    const waiting = stage.api.get(approval.id, 50);

    const card = page.locator('.message').filter({ hasText: shortId(approval.id) });
    await card.locator('pre').getByText('make <release>').waitFor();
    await card.getByRole('button', { name: /Approve/ }).click();
    expect((await waiting).body).toMatchObject({
      status: 'approved',
      decision: { by: { id: '1', name: 'Olivia' } },
    });

    await card.getByText('Approved by Olivia').waitFor();
    expect(await card.getByRole('button', { name: /Approve|Reject/ }).count()).toBe(0);
  });
});
