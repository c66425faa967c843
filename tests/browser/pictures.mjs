// The pictures of docs/guide: `node pictures.mjs FOLDER` (with Debian's fonts-inter and fonts-jetbrains-mono).
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PHONE, launch } from '../ledger/browser.mjs';
import { committed, root } from './questions.mjs';

const [folder] = process.argv.slice(2);
const question = [...committed()].find((it) => it.kind === 'snp' && it.expected.verdict === 'trusted' && !it.files.tpm_quote && !it.words.without);
const browser = await launch();
for (const [name, viewport] of Object.entries({ desktop: { width: 1280, height: 800 }, phone: PHONE })) {
  const context = await browser.newContext({ viewport, colorScheme: 'light', deviceScaleFactor: 1 });
  const page = await context.newPage();
  await page.goto(pathToFileURL(process.env.CHRYSALIS_VERIFY_PAGE ?? join(root, 'docs/verify.html')).href);
  await page.waitForFunction(() => document.documentElement.dataset.ready === 'yes');
  await page.setInputFiles('#pick', Object.values(question.files).flat());
  await page.fill('#at', question.at);
  await page.dispatchEvent('#at', 'change');
  const [asked] = question.words.report_data ?? [];
  if (asked) { await page.fill('[data-word=report_data]', asked); await page.dispatchEvent('[data-word=report_data]', 'change'); }
  await page.waitForFunction(() => /Trusted/.test(document.getElementById('verdict').textContent));
  await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
  await page.screenshot({ path: join(folder, `verify-${name}-light.png`), fullPage: true, clip: { x: 0, y: 0, width: viewport.width, height: 1400 } });
  await context.close();
}
await browser.close();
