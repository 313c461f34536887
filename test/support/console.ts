import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import AxeBuilder from 'axe-core';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { OPERATOR_KEY } from './well-known';
import { CHECKOUT } from './processes';

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

export const hasBrowser = existsSync(CHROMIUM);

/** Makes dist/console, as `npm run build` does. */
export function buildConsole(): void {
  execFileSync(process.execPath, [join(CHECKOUT, 'src/cli/bundle-console.mjs')], { stdio: 'inherit' });
}

/** A browser at the console of one service. */
export class ConsoleBrowser {
  /** Errors that pages have thrown or logged, except for the ones that a test expects. */
  readonly faults: string[] = [];

  private constructor(
    private readonly browser: Browser,
    readonly url: string,
  ) {}

  static async open(serviceUrl: string): Promise<ConsoleBrowser> {
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    return new ConsoleBrowser(browser, serviceUrl);
  }

  /** A page of a person of its own, who is not signed in. */
  async page(path = '/console', options: BrowserContextOptions = {}): Promise<Page> {
    const page = await (await this.browser.newContext(options)).newPage();
    page.on('pageerror', (error) => this.faults.push(error.message));
    page.on('console', (message) => {
      // The browser logs every refused request as well; the page shows those.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        this.faults.push(message.text());
    });
    await page.goto(`${this.url}${path}`);
    return page;
  }

  /** A page of a person who has signed in with the operator's key. */
  async signedIn(path = '/console', options: BrowserContextOptions = {}, key = OPERATOR_KEY): Promise<Page> {
    const page = await this.page(path, options);
    await page.getByLabel('Operator key').fill(key);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByText('Live', { exact: true }).waitFor();
    return page;
  }

  /** Closes all pages. */
  async leave(): Promise<void> {
    await Promise.all(this.browser.contexts().map((context) => context.close()));
  }

  close(): Promise<void> {
    return this.browser.close();
  }
}

/** Rules of accessibility that the page breaks, with the first element of each. */
export async function findBarriers(page: Page): Promise<string[]> {
  await page.evaluate(AxeBuilder.source);
  return page.evaluate<string[]>(`axe
    .run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })
    .then(({ violations }) => violations.map(({ id, impact, nodes }) => impact + ' ' + id + ': ' + nodes[0].html))`);
}
