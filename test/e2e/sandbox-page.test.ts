import { existsSync } from 'node:fs';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { Driver, GROUP } from '../support/sandbox-driver';
import { until } from '../support/until';

const CHROMIUM = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const hasBrowser = existsSync(CHROMIUM);
if (!hasBrowser) {
  console.warn(`SKIPPED: the chat page was not tested, no browser at ${CHROMIUM} (set CHROMIUM_PATH)`);
}

const STRANGER = 2;

(hasBrowser ? describe : xdescribe)('the chat page in a browser', () => {
  let browser: Browser;
  let driver: Driver;
  const faults: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    driver = await Driver.start();
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    await driver.close();
    expect(faults.splice(0)).toEqual([]);
  });

  async function open(options: BrowserContextOptions = {}, path = ''): Promise<Page> {
    const page = await (await browser.newContext(options)).newPage();
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    await page.goto(`${driver.url}/${path}`);
    // Either shows that everything has been read: what comes from here on arrives.
    await page.locator('#empty, .message').filter({ visible: true }).first().waitFor();
    return page;
  }

  /** The position of an element in the window, in pixels. */
  function boxOf(page: Page, selector: string): Promise<{ top: number; bottom: number }> {
    return page.evaluate(
      `document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect().toJSON()`,
    );
  }

  /** The contrast of the words of one element on the ground of another, as WCAG 2 defines it. */
  async function contrastOf(page: Page, words: string, ground: string): Promise<number> {
    const style = (selector: string): string => `getComputedStyle(document.querySelector('${selector}'))`;
    const colors = await page.evaluate<string[]>(`[${style(words)}.color, ${style(ground)}.backgroundColor]`);
    const [lighter = 0, darker = 0] = colors
      .map((color) => {
        const [r = 0, g = 0, b = 0] = (color.match(/[\d.]+/g) ?? []).map((part) => {
          const share = Number(part) / 255;
          return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      })
      .sort((a, b) => b - a);
    return (lighter + 0.05) / (darker + 0.05);
  }

  it('says what it is while nothing has been said, and whether a bot is there', async () => {
    const page = await open();
    expect(await page.title()).toBe('Telegram sandbox');
    await page.getByText('Waiting for the first message').waitFor();
    await page.getByText('No bot has connected yet').waitFor();
    await page.getByText(`TELEGRAM_API_ROOT=${driver.url}`).waitFor();
    await driver.call('getMe');
    await page.getByText('Countersign is connected').waitFor();
  });

  it('shows a card as it arrives, delivers the tap of the chosen person, shows the alert and then the edit', async () => {
    const page = await open();
    const card = await driver.sendCard();
    await page.getByRole('radio', { name: /Sam/ }).first().click();
    await page.getByRole('button', { name: 'Approve' }).click();
    const [update] = await driver.updates();
    expect(update?.callback_query).toMatchObject({ data: 'v1.a.nonce', from: { id: STRANGER } });
    await page.locator('.key[aria-busy="true"]').waitFor();

    await driver
      .client()
      .answerCbQuery(update?.callback_query?.id ?? '', 'You are no operator', { show_alert: true });
    const alert = page.getByRole('dialog');
    await alert.getByText('You are no operator').waitFor();
    await page.keyboard.press('Enter');
    await alert.waitFor({ state: 'hidden' });

    await driver.call('editMessageText', {
      chat_id: GROUP,
      message_id: card.message_id,
      text: 'Approved by Olivia',
    });
    await page.getByText('Approved by Olivia').first().waitFor();
    await page.locator('.meta .edited').waitFor();
    expect(await page.locator('.keyboard').count()).toBe(0);
  });

  it('shows an answer without alert as a note, and says when the bot keeps silent', async () => {
    const page = await open();
    await driver.sendCard();
    await page.getByRole('button', { name: 'Reject' }).click();
    const [update] = await driver.updates();
    expect(update?.callback_query).toMatchObject({ data: 'v1.r.nonce', from: { id: 1 } });
    await driver.client().answerCbQuery(update?.callback_query?.id ?? '', 'Rejected');
    await page.locator('.toast', { hasText: 'Rejected' }).waitFor();
    await driver.post('limits', { callbackAnswerMs: 100 });
    const approve = page.getByRole('button', { name: 'Approve' });
    await approve.click();
    await page.locator('.toast', { hasText: 'The bot did not answer' }).waitFor();
    // One press after the other: the second note takes the first one's place.
    await approve.click();
    await page.locator('.key[aria-busy="true"]').waitFor({ state: 'detached' });
    expect(await page.locator('.toast', { hasText: 'The bot did not answer' }).count()).toBe(1);
  });

  it.each([1280, 390])('a note leaves the next decision in view, %i wide', async (width) => {
    const page = await open({ viewport: { width, height: 700 } });
    for (let card = 0; card < 3; card++) await driver.sendCard();
    await driver.post('limits', { callbackAnswerMs: 100 });
    const approve = page.getByRole('button', { name: 'Approve' }).last();
    await approve.click();
    await page.locator('.toast').waitFor();
    const { bottom } = await boxOf(page, '.toast');
    const { top } = await boxOf(page, '.message:last-child .keyboard');
    expect(bottom).toBeLessThan(top);
  });

  it("writes, replies and offers the bot's commands", async () => {
    await driver.client().setMyCommands([
      { command: 'pending', description: 'What waits' },
      { command: 'help', description: 'What I can do' },
    ]);
    const page = await open();
    const card = await driver.sendCard();
    const draft = page.getByLabel('Message', { exact: true });
    await draft.fill('/');
    await draft.press('ArrowUp');
    const option = await page.getByRole('option', { name: '/help', selected: true }).getAttribute('id');
    const combobox = page.getByRole('combobox', { name: 'Message', expanded: true });
    expect(await combobox.getAttribute('aria-activedescendant')).toBe(option);
    await draft.press('Escape');
    await page.getByRole('textbox', { name: 'Message' }).fill('/p');
    await page.getByRole('option', { name: '/pending What waits' }).waitFor();
    await draft.press('Enter');
    await page.locator('.message.own', { hasText: '/pending' }).waitFor();

    await page.locator(`[data-id="${card.message_id}"]`).hover();
    await page.locator(`[data-id="${card.message_id}"] .reply`).click();
    await draft.fill('too risky\nfor today');
    await draft.press('Enter');
    await page.locator('.message.own .quote', { hasText: 'Approve this?' }).waitFor();
    expect((await driver.messages()).slice(1)).toMatchObject([
      { text: '/pending', replyTo: null },
      { text: 'too risky\nfor today', replyTo: card.message_id },
    ]);
  });

  it('renders every entity, and nothing in a message is ever markup', async () => {
    const page = await open();
    const soon = Math.floor(Date.now() / 1000) + 3590;
    await driver.send({
      parse_mode: 'HTML',
      text: [
        '<b>bold</b> <i>it<u>al</u>ic</i> <s>gone</s> <code>code</code> <tg-spoiler>secret</tg-spoiler>',
        '<pre><code class="language-sh">rm -rf &lt;dir&gt;</code></pre>',
        '<blockquote>quoted</blockquote><a href="https://example.org/">link</a>',
        `&lt;img src=x onerror=alert(1)&gt; <tg-time unix="${soon}" format="r">later</tg-time>`,
      ].join('\n'),
    });
    const text = page.locator('.bubble .text');
    await text.waitFor();
    expect(await text.locator('strong').textContent()).toBe('bold');
    expect(await text.locator('em u').textContent()).toBe('al');
    expect(await text.locator('.code-block code').textContent()).toBe('rm -rf <dir>');
    expect(await text.locator('blockquote').textContent()).toBe('quoted');
    expect(await text.locator('a').getAttribute('href')).toBe('https://example.org/');
    expect(await text.locator('time').textContent()).toBe('in 59 minutes');
    expect(await text.locator('img').count()).toBe(0);
    expect(await text.textContent()).toContain('<img src=x onerror=alert(1)>');

    expect(await page.locator('.chat-preview').textContent()).not.toContain('secret');
    await page.getByRole('button', { name: 'Hidden text' }).press('Enter');
    await page.locator('.spoiler.revealed', { hasText: 'secret' }).waitFor();
  });

  it.each([320, 390, 1000, 1280])(
    'breaks no option at its hyphen and copies what was sent, %i wide',
    async (width) => {
      const page = await open({ viewport: { width, height: 700 } });
      const command = `npm  run migrate -- --env staging; npm run smoke -- --env live\n  rm ${'a-'.repeat(60)}`;
      await driver.send({ text: `<pre>${command}</pre>`, parse_mode: 'HTML' });
      await page.locator('.code-block').waitFor();
      const select = `getSelection().selectAllChildren(document.querySelector('pre'))`;
      expect(await page.evaluate(`${select}, getSelection().toString()`)).toBe(command);
      const heights = await page.evaluate<number[]>(
        `[...document.querySelectorAll('.whole')].map((word) => word.offsetHeight)`,
      );
      expect(heights).toHaveLength(4);
      expect(Math.max(...heights)).toBe(Math.min(...heights));
      const overflow = `document.querySelector('pre').scrollWidth - document.querySelector('pre').clientWidth`;
      expect(await page.evaluate(overflow)).toBe(0);
    },
  );

  it('offers a document for download, whole', async () => {
    const page = await open();
    const source = Buffer.from('{"command":"rm"}');
    await driver
      .client()
      .sendDocument(GROUP, { source, filename: 'action.json' }, { caption: 'The whole action' });
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: /action\.json/ }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('action.json');
    const chunks: Buffer[] = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks)).toEqual(source);
  });

  it('a person added by id taps as that person', async () => {
    const page = await open();
    await driver.sendCard();
    await page.getByLabel('Numeric id of another person').fill('4711');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.getByRole('button', { name: 'Approve' }).click();
    expect((await driver.updates())[0]?.callback_query?.from.id).toBe(4711);
  });

  it('one stays the person one chose when the page is loaded again, before the sandbox knows that person', async () => {
    const page = await open();
    await page.getByLabel('Numeric id of another person').fill('4711');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.reload();
    await page
      .getByRole('radio', { name: /User 4711/, checked: true })
      .first()
      .waitFor();
    await page.getByRole('button', { name: /You tap and write as User 4711/ }).waitFor();
  });

  it('an address that names a chat nobody knows opens the first one', async () => {
    await driver.sendCard();
    const page = await open({}, '#chat=-42');
    await page.getByRole('heading', { name: 'Approvals' }).waitFor();
    await page.getByRole('button', { name: 'Approve' }).waitFor();
    expect(new URL(page.url()).hash).toBe(`#chat=${GROUP}`);
  });

  it("says with a card's buttons what they decide on", async () => {
    const page = await open();
    await driver.sendCard();
    const described = await page.getByRole('group', { name: 'Buttons' }).getAttribute('aria-describedby');
    expect(await page.locator(`#${described}`).textContent()).toBe('Approve this?');
  });

  it.each(['light', 'dark'] as const)('its words stand out from their ground, %s', async (colorScheme) => {
    const page = await open({ colorScheme });
    await driver.sendCard();
    await page.getByRole('button', { name: 'Approve' }).waitFor();
    await page.getByLabel('Message', { exact: true }).fill('hello');
    for (const [words, ground] of [
      ['.key-success', '.key-success'],
      ['.send', '.send'],
      ['.meta', '.bubble'],
      ['.sender', '.bubble'],
    ] as const) {
      const ratio = await contrastOf(page, words, ground);
      expect({ words, ratio, enough: ratio >= 4.5 }).toMatchObject({ enough: true });
    }
  });

  it('after a lost connection it comes back and shows what it missed', async () => {
    const page = await open({ viewport: { width: 390, height: 700 } });
    await driver.send({ text: 'before' });
    await page.locator('.text', { hasText: 'before' }).waitFor();
    const { port } = driver.sandbox;
    await driver.close();
    await page.getByText('Connection lost').waitFor();
    await page.getByRole('textbox', { name: 'Message' }).fill('heard by nobody');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('The sandbox does not answer; nothing was sent.').waitFor();
    driver = await Driver.start({ port });
    await driver.send({ text: 'after' });
    await page.locator('.text', { hasText: 'after' }).waitFor();
    expect(await page.locator('.text', { hasText: 'before' }).count()).toBe(0);
    await page.getByText('Connection lost').waitFor({ state: 'hidden' });
    faults.splice(0); // the browser reports the refused connections, which are the point
  });

  it('shows what comes while it reads what is there', async () => {
    const page = await open();
    await page.route('**/sandbox/messages', async (route) => {
      const response = await route.fetch();
      await driver.send({ text: 'meanwhile' });
      await route.fulfill({ response });
    });
    await page.reload();
    await page.locator('.text', { hasText: 'meanwhile' }).waitFor();
    await page.getByText('Waiting for the first message').waitFor({ state: 'hidden' });
  });

  it('on a phone the chat fills the screen, nothing overflows, and the list is one tap away', async () => {
    const page = await open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    await driver.send({ text: `<pre>${'long'.repeat(80)}</pre>`, parse_mode: 'HTML' });
    await driver.sendCard();
    await page.getByRole('button', { name: 'Approve' }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    expect(await page.getByRole('navigation', { name: 'Chat list' }).isVisible()).toBe(false);
    await page.getByRole('button', { name: 'Back to the chat list' }).click();
    await page.getByRole('navigation', { name: 'Chat list' }).waitFor();
    await page.locator('.chat-entry').click();
    await page.getByRole('button', { name: 'Approve' }).waitFor();
  });

  it('works from the keyboard alone', async () => {
    const page = await open();
    await driver.sendCard();
    const approve = page.getByRole('button', { name: 'Approve' });
    await approve.waitFor();
    await page
      .getByRole('radio', { name: /Olivia/ })
      .first()
      .focus();
    await page.keyboard.press('ArrowDown');
    await page.getByRole('radio', { name: /Sam/, checked: true }).first().waitFor();
    const focused = (): Promise<string> => page.evaluate('document.activeElement.textContent');
    for (let presses = 0; presses < 30 && !(await focused()).endsWith('Approve'); presses++)
      await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect((await driver.updates())[0]?.callback_query?.from.id).toBe(STRANGER);
  });

  it('keeps the focus: on the card that was decided, on the person chosen, on the chat one stood at', async () => {
    const page = await open();
    const { message_id: id } = await driver.sendCard();
    await page.getByRole('button', { name: 'Approve' }).press('Enter');
    await driver.call('editMessageText', { chat_id: GROUP, message_id: id, text: 'Approved by Olivia' });
    await page.locator(`.message[data-id="${id}"]:focus`, { hasText: 'Approved by Olivia' }).waitFor();

    await page.locator('#people .person[data-user="2"]').click();
    await page.locator('#people .person[data-user="2"][aria-checked="true"]:focus').waitFor();

    await page.locator('.chat-entry').focus();
    await driver.send({ text: 'next' });
    await page.locator('.chat-entry:focus', { hasText: 'next' }).waitFor();
  });

  it('shows a message that is taller than the window from its start', async () => {
    const page = await open({ viewport: { width: 900, height: 600 } });
    for (const text of ['one', 'two', 'three']) await driver.send({ text });
    await driver.send({ text: Array.from({ length: 60 }, (_, line) => `line ${line}`).join('\n') });
    const last = '.message:last-child';
    await page.locator(last, { hasText: 'line 59' }).waitFor();
    const header = await boxOf(page, '.chat-header');
    await until('its start is in view', async () => {
      const { top } = await boxOf(page, last);
      return top >= header.bottom && top < header.bottom + 60;
    });
    await page.getByRole('button', { name: 'Go to the newest message' }).click();
    await until('its end is in view', async () => (await boxOf(page, last)).bottom <= 600);
  });
});
