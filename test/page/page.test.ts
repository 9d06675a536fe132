/**
 * The local page in a browser: the README's walk on the page only, a kill -9 with the counters at zero, hostile text shown
 * as text. UPDATE_SCREENSHOTS=1 also takes the pictures of docs/images.
 */
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

const FIXTURE = join(import.meta.dirname, '../fixtures/registration-valid.json');
const IMAGES = join(import.meta.dirname, '../../docs/images');
/** The screenshot of a failed test. */
const FAILURE = join(import.meta.dirname, '../../.local/page-test-failure.png');
const WITHIN_MS = 60_000;

const candidates = [
  process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const isPictured = process.env['UPDATE_SCREENSHOTS'] !== undefined;
const executablePath = candidates.find(existsSync);
if (executablePath === undefined)
  console.warn('SKIPPED: the local page in a browser, without Chromium (Debian: apt-get install chromium).');

describe.skipIf(executablePath === undefined)('the local page', () => {
  let stack: TestStack;
  let browser: Browser;
  let page: Page;
  /** Messages of the browser about errors of the page and violations of its policy. */
  const complaints: string[] = [];

  beforeAll(async () => {
    stack = await startTestStack();
    browser = await chromium.launch({ executablePath: String(executablePath), args: ['--no-sandbox'] });
    page = await browser.newPage({
      viewport: { width: 1200, height: 1000 },
      colorScheme: 'light',
      reducedMotion: isPictured ? 'no-preference' : 'reduce',
    });
    page.setDefaultTimeout(WITHIN_MS);
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (/Content Security Policy|Refused to/.test(message.text())) complaints.push(message.text());
    });
    await page.goto(stack.describe().page);
  });
  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
  });

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await page.screenshot({ path: FAILURE, fullPage: true });
  });

  const press = (name: string | RegExp) => page.getByRole('button', { name }).first().click();
  const panel = () => page.getByRole('tabpanel');
  const counter = (name: string) => page.locator(`[data-counter="${name}"]`);
  const tab = (name: RegExp) => page.getByRole('tab', { name }).click();
  const answered = (status: number) =>
    panel()
      .getByRole('status')
      .filter({ hasText: String(status) })
      .waitFor();
  const screenshot = async (name: string) => {
    if (isPictured) await page.screenshot({ path: join(IMAGES, `${name}.png`), animations: 'allow' });
  };

  it('registers, pays and signs by keyboard only', async () => {
    const summary = page.getByText('Register somebody by hand');
    await summary.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Register', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: /Patient 1 Jörg Fußweg/ }).waitFor();
    await page.getByRole('radio', { name: 'Pay' }).focus();
    await tabTo('Send');
    await page.keyboard.press('Enter');
    await answered(200);
    await page.getByRole('radio', { name: 'Pay' }).focus();
    await page.keyboard.press('ArrowRight');
    await eventually(async () =>
      expect(await page.getByRole('radio', { name: 'Sign' }).isChecked()).toBe(true),
    );
    await tabTo('Send');
    await page.keyboard.press('Enter');
    await panel().getByRole('status').filter({ hasText: 'auf_der_Suche' }).waitFor();
    await page.getByRole('tab', { name: 'Calls' }).focus();
    for (const _ of ['Data', 'Events']) await page.keyboard.press('ArrowRight');
    await expect
      .poll(() => panel().getByRole('listitem').allInnerTexts(), { timeout: WITHIN_MS })
      .toEqual([
        expect.stringMatching(/^1 patient\.created/),
        expect.stringMatching(/^2 patient\.updated/),
        expect.stringMatching(/^3 patient\.updated/),
        expect.stringMatching(/^4 patient\.status_changed/),
      ]);
  });

  /** Moves the focus forward by keyboard until a button of that name has it. */
  async function tabTo(name: string): Promise<void> {
    for (let presses = 0; presses < 10; presses += 1) {
      await page.keyboard.press('Tab');
      if ((await page.evaluate(() => document.activeElement?.textContent)) === name) return;
    }
    throw new Error(`the keyboard does not reach ${name}`);
  }

  it('excludes, finds without accents, and erases', async () => {
    await tab(/Calls/);
    await page.getByRole('radio', { name: 'Exclude a therapist' }).check();
    await press('Send');
    await answered(200);
    expect(await panel().locator('pre').innerText()).toContain('{"ausgeschlossene_therapeuten":[7]}');
    await page.getByRole('searchbox').fill('fussweg');
    await page.getByRole('button', { name: /1 Jörg Fußweg/ }).waitFor();
    await page.getByRole('radio', { name: 'Erase' }).check();
    await press('Erase patient 1…');
    await page.getByRole('dialog').getByRole('button', { name: 'Erase' }).click();
    await page.getByText('not found: erased').waitFor();
    await tab(/Events/);
    await panel().getByText('patient.deleted').waitFor();
    await page.getByRole('searchbox').fill('');
  });

  it('shows the outcome of a chosen file and of a broken one, with the rule it broke and the runbook', async () => {
    await page.locator('input[type=file]').setInputFiles(FIXTURE);
    const files = page.getByRole('list', { name: 'The outcome of each file' });
    await files.getByRole('button', { name: /^patient \d+$/ }).click();
    await tab(/Mails/);
    await panel().getByText('lena@example.org').waitFor();
    await tab(/History/);
    await panel().getByText('email.sent').waitFor();
    await press('A broken one');
    await files.getByText('/patient_data/plz').waitFor();
    expect(await files.innerText()).toContain('The rule: postal code');
    await press('Deliver the last file twice');
    await files.getByText('delivered 2 times').waitFor();
    const health = page.getByRole('region', { name: 'Health' });
    await health.getByRole('link', { name: 'runbook: import-failure-rate' }).waitFor();
  });

  it('shows a poisonous message as a dead letter with what to do, and drops it', async () => {
    await press('Poison: no JSON');
    const health = page.getByRole('region', { name: 'Health' });
    await health.getByText('event.not_json').waitFor();
    await health.getByText('drop this one').waitFor();
    await page.locator('#files').evaluate((section) => section.scrollIntoView());
    await screenshot('files');
    await health.getByRole('button', { name: /^Drop / }).click();
    await health.getByText('event.not_json').waitFor({ state: 'detached' });
  });

  it('keeps its promises while parts are killed', async () => {
    await press('Fifty at once');
    await press('kill -9 worker');
    await press('kill -9 import');
    await page.evaluate(() => window.scrollTo(0, 0));
    // Each of the fifty patients is created, and updated after their mail was sent.
    await eventually(async () => {
      expect(await page.getByRole('region', { name: 'The promises' }).innerText()).toMatch(
        /over 51 patients; 0 have an event waiting/,
      );
      expect(Number(await counter('events published').innerText())).toBeGreaterThanOrEqual(108);
    }, 60_000);
    for (const name of ['lost', 'order broken', 'mails doubled'])
      expect(await counter(name).innerText(), name).toBe('0');
    if (isPictured) {
      await page.evaluate(() =>
        fetch('/local/examples', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"kind":"good","count":3}',
        }),
      );
      await page.locator('.flow .dot').first().waitFor({ state: 'attached' });
      await screenshot('page');
    }
  });

  it('explains the effect of a stopped part, and starts it again', async () => {
    await press('Stop api');
    await page.locator('[data-station=api].stopped').waitFor();
    await press('Start api');
    await page.locator('[data-station=api].up').waitFor();
  });

  it('shows hostile text as text', async () => {
    const vorname = '<img src=x onerror="document.title=1">';
    const { page: url } = stack.describe();
    await page.evaluate(
      async ([name]) => {
        const { staff } = (await (await fetch('/local/tokens')).json()) as { staff: string };
        await fetch('/api/patients', {
          method: 'POST',
          headers: { authorization: `Bearer ${staff}`, 'content-type': 'application/json' },
          body: JSON.stringify({
            anrede: 'Frau',
            geschlecht: 'divers',
            vorname: name,
            nachname: '<script>a</script>',
          }),
        });
        await fetch(`/local/files?name=${encodeURIComponent(`${name}.json`)}`, { method: 'POST', body: '{' });
      },
      [vorname],
    );
    await page.getByRole('searchbox').fill('script');
    await page.getByRole('list', { name: 'Patients found' }).getByRole('button', { name: vorname }).click();
    await page.getByRole('heading', { name: `${vorname} <script>a</script>` }).waitFor();
    await tab(/Data/);
    await page.getByText(`${vorname}.json`, { exact: true }).first().waitFor();
    expect(await page.title()).toBe('Patient service: local stack');
    expect(await page.locator('#page img, #page script').count()).toBe(0);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:/);
  });

  it('tries a call of the contract without pasting a token', async () => {
    // The API's own page redirects there.
    await page.goto(`${stack.describe().api}/docs`);
    await page.getByText('the admin token of this stack is filled in').waitFor();
    await page.locator('#operations-default-getApiPatientsId .opblock-summary-control').click();
    await page.getByRole('button', { name: 'Execute' }).click();
    await page.locator('.live-responses-table .response-col_status').getByText('200').waitFor();
  });

  it('answers no other host name and no other origin', async () => {
    const { port } = new URL(stack.describe().page);
    const ask = (headers: Record<string, string>) =>
      new Promise<number>((resolve, reject) => {
        const asked = request({ host: '127.0.0.1', port, path: '/local/poison', method: 'POST', headers });
        asked.on('response', (answer) => (answer.resume(), resolve(Number(answer.statusCode))));
        asked.on('error', reject).end('{"kind":"not_json"}');
      });
    expect(await ask({ host: `rebound.example:${port}`, origin: `http://rebound.example:${port}` })).toBe(
      421,
    );
    expect(await ask({ host: `127.0.0.1:${port}`, origin: 'https://evil.example' })).toBe(403);
  });

  it('causes no complaint of the browser', () => {
    expect(complaints).toEqual([]);
  });
});
