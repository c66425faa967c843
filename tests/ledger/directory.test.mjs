// The page of a real directory, at CHRYSALIS_LEDGER_URL: two enclaves that reported, and one that was silent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { launch } from './browser.mjs';

const url = process.env.CHRYSALIS_LEDGER_URL;

test('the page of a real directory verifies what it published', { skip: !url && 'no directory' }, async () => {
  const browser = await launch();
  try {
    const page = await browser.newPage();
    const errors = [];
    page.on('console', (message) => { if (message.type() === 'error' && !message.location().url.endsWith('favicon.ico')) errors.push(message.text()); });
    const answer = await page.goto(url);
    assert.match(answer.headers()['content-security-policy'], /default-src 'self'/);
    await page.waitForFunction(() => /verified here/.test(document.getElementById('verdict').textContent));
    assert.equal(await page.textContent('#verdict'), '4 of 4 reports verified here, index recomputed');
    assert.equal(await page.getAttribute('#verdict', 'data-state'), 'ok');
    assert.match(await page.textContent('#followed'), /First seen/);
    await page.reload();
    await page.waitForFunction(() => /Has the \d+ entries|the proof of growth holds/.test(document.getElementById('followed').textContent));
    assert.equal(await page.locator('.providers tbody tr[data-state=none]').count(), 1);
    assert.match(await page.textContent('#operators'), /not asked|0\.\d+/);
    assert.deepEqual(errors, []);
    const plain = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
    await plain.goto(new URL('v1/ledger/table.html', url).href);
    assert.equal(await plain.locator('tbody tr').count(), 3);
  } finally {
    await browser.close();
  }
});
