// The pictures of docs/guide: `node pictures.mjs FOLDER` (with Debian's fonts-inter and fonts-jetbrains-mono).
import { join } from 'node:path';
import { PHONE, launch } from './browser.mjs';
import { Network } from './fixtures.mjs';
import { serve } from './serve.mjs';

const [folder, broken] = process.argv.slice(2);
const network = new Network();
// A byte of one report flipped, and one report left out.
function tamper(summary) {
  if (broken) {
    const flipped = Buffer.from(summary.providers[4].reports.last, 'base64');
    flipped[200] ^= 1;
    summary.providers[4].reports.last = flipped.toString('base64');
    summary.providers[8].reports.before = null;
  }
  return summary;
}
const server = await serve(() => [network, { tamper }]);
const browser = await launch();
for (const [name, viewport] of Object.entries({ desktop: { width: 1280, height: 800 }, phone: PHONE })) {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport, colorScheme, deviceScaleFactor: 1 });
    const page = await context.newPage();
    page.on('console', (message) => { if (message.type() === 'error') console.log(message.text()); });
    await page.goto(server.url);
    await page.waitForFunction(() => /verified here/.test(document.getElementById('verdict').textContent));
    await page.screenshot({ path: join(folder, `ledger-${broken ? 'broken-' : ''}${name}-${colorScheme}.png`), fullPage: process.env.FULL === '1' });
    await context.close();
  }
}
await browser.close();
await server.close();
