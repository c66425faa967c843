// docs/verify.html in a real browser, opened from a file: what it says of what is dropped, and that it asks nobody.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { DESKTOP, PHONE, launch } from '../ledger/browser.mjs';
import { committed, root, told } from './questions.mjs';

const PAGE = process.env.CHRYSALIS_VERIFY_PAGE ?? join(root, 'docs/verify.html');
let browser;
before(async () => {
  assert.ok(existsSync(PAGE), `${PAGE} is made by \`make wasm\``);
  browser = await launch();
});
after(() => browser?.close());

async function open(context = {}) {
  const opened = await browser.newContext({ viewport: DESKTOP, offline: true, ...context });
  const page = await opened.newPage();
  const [errors, asked] = [[], []];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()); });
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(pathToFileURL(PAGE).href);
  await page.waitForFunction(() => document.documentElement.dataset.ready === 'yes');
  return { page, errors, asked, close: () => opened.close() };
}

const vectors = [...committed()];
const vector = (name) => vectors.find((it) => it.name === name) ?? assert.fail(name);
const accepted = (kind) => vectors.find((it) => it.kind === kind && it.expected.verdict === 'trusted' && !it.words.without && !it.words.spki && !it.files.tpm_quote) ?? vectors.find((it) => it.kind === kind && it.expected.verdict !== 'rejected');

// Drops a question's files and says what it says.
async function drop(page, question) {
  await page.setInputFiles('#pick', Object.values(question.files).flat());
  await page.fill('#at', question.at);
  await page.dispatchEvent('#at', 'change');
  for (const [name, texts] of Object.entries(question.words)) {
    const input = page.locator(`[data-word=${name}]`);
    if (await input.count()) { await input.fill(texts[0]); await input.dispatchEvent('change'); }
  }
  const { verdict, code } = question.expected;
  await page.waitForFunction(([verdict, code]) => {
    const told = document.getElementById('json').textContent;
    return told && JSON.parse(told).verdict === verdict && JSON.parse(told).code === code;
  }, [verdict, code], { timeout: 60_000 });
  return JSON.parse(await page.textContent('#json'));
}

for (const kind of ['snp', 'tdx', 'nvidia', 'bundle']) {
  test(`what is honest and what is not: ${kind}`, async () => {
    const honest = accepted(kind);
    const wrong = vectors.find((it) => it.kind === kind && it.expected.verdict === 'rejected' && Object.keys(it.words).join() === Object.keys(honest.words).join() && Object.keys(it.files).join() === Object.keys(honest.files).join() && !/malformed|length|item/.test(it.expected.code));
    for (const question of [honest, wrong]) {
      const it = await open();
      const found = await drop(it.page, question);
      assert.equal(found.verdict, question.expected.verdict, question.name);
      assert.equal(found.code, question.expected.code, question.name);
      const theirs = JSON.parse((await told(question)).stdout);
      assert.deepEqual(found, theirs);
      const rows = await it.page.locator('#checks tr').count();
      assert.equal(rows, theirs.checks.length);
      const verdict = await it.page.textContent('#verdict');
      assert.match(verdict, question.expected.code ? new RegExp(question.expected.code) : /^(Trusted|Genuine)/);
      assert.equal(await it.page.locator('#simulated').isVisible(), found.simulated);
      assert.deepEqual(it.errors, []);
      assert.deepEqual(it.asked, [pathToFileURL(PAGE).href], 'it asked for something else');
      await it.close();
    }
  });
}

test('a file is text to it, whatever it is called and contains', async () => {
  const name = join(tmpdir(), '<img src=x onerror=alert(1)>.json');
  writeFileSync(name, '{"<script>alert(1)</script>": 1}');
  const it = await open();
  await it.page.setInputFiles('#pick', name);
  await it.page.waitForFunction(() => document.querySelectorAll('#files li').length === 1);
  assert.match(await it.page.textContent('#files'), /a JSON object with `<script>alert/);
  assert.equal(await it.page.textContent('#verdict'), 'There is no evidence among these files');
  assert.equal(await it.page.locator('#files img, #files script').count(), 0);
  assert.deepEqual(it.errors, []);
  await it.close();
});

test('what nothing tells apart is said by hand', async () => {
  const question = vector('snp/azure');
  const it = await open();
  await it.page.setInputFiles('#pick', Object.values(question.files).flat());
  for (const [file, role] of [['pcrs.bin', 'tpm_pcrs'], ['signature.bin', 'tpm_signature']]) {
    await it.page.getByLabel(`What ${file} is used as`).selectOption(role);
  }
  await it.page.fill('[data-word=nonce]', question.words.nonce[0]);
  await it.page.dispatchEvent('[data-word=nonce]', 'change');
  await it.page.fill('#at', question.at);
  await it.page.dispatchEvent('#at', 'change');
  await it.page.waitForFunction(() => /^Trusted/.test(document.getElementById('verdict').textContent));
  assert.deepEqual(it.errors, []);
  await it.close();
});

test('bytes that are no evidence are a sentence', async () => {
  const question = accepted('snp');
  const it = await open();
  const report = join(tmpdir(), 'session.cbor');
  writeFileSync(report, Buffer.concat([Buffer.from('a46473706b69', 'hex'), Buffer.alloc(300)]));
  await it.page.setInputFiles('#pick', report);
  await it.page.waitForFunction(() => /no verdict/.test(document.getElementById('verdict').textContent));
  assert.match(await it.page.textContent('#detail'), /saved session that cannot be read: save it again/);
  await it.page.setInputFiles('#pick', question.files.report);
  await it.page.waitForFunction(() => /One at a time/.test(document.getElementById('verdict').textContent));
  await it.page.getByRole('button', { name: 'Remove session.cbor' }).click();
  await it.page.waitForFunction(() => !/One at a time/.test(document.getElementById('verdict').textContent));
  assert.deepEqual(it.errors, []);
  await it.close();
});

test('an old browser gets a sentence', async () => {
  for (const take of ['WebAssembly = undefined', 'WebAssembly.validate = () => false']) {
    const context = await browser.newContext({ offline: true });
    const page = await context.newPage();
    await page.addInitScript(take);
    const errors = [];
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(pathToFileURL(PAGE).href);
    await page.waitForFunction(() => /cannot verify anything here/.test(document.getElementById('verdict').textContent));
    assert.match(await page.textContent('#detail'), /cannot run the verifier.*use a newer one/);
    assert.deepEqual(errors, []);
    await context.close();
  }
  // Without scripts it says so by itself.
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(pathToFileURL(PAGE).href);
  assert.match(await page.textContent('#verdict'), /needs a newer browser, with JavaScript/);
  await context.close();
});

test('its policy lets nothing else run', async () => {
  const html = readFileSync(PAGE, 'utf8');
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html)[1];
  assert.match(policy, /^default-src 'none'; script-src 'sha256-[^']+' 'wasm-unsafe-eval'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'$/);
  const it = await open();
  const refused = await it.page.evaluate(async () => {
    const script = document.createElement('script');
    let wrong = '';
    try { script.textContent = 'window.ran = true'; document.head.append(script); } catch (error) { wrong = error.name; }
    try { await fetch('data:text/plain,x'); wrong += ' fetched'; } catch { wrong += ' not fetched'; }
    return `${wrong}, ${window.ran ?? 'did not run'}`;
  });
  assert.match(refused, /not fetched, did not run/);
  await it.close();
});

test('it fits a phone, and a keyboard reaches everything', async () => {
  const it = await open({ viewport: PHONE });
  await drop(it.page, accepted('snp'));
  const wide = await it.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wide, 0, 'it scrolls sideways');
  await it.close();
  const fresh = await open();
  await fresh.page.keyboard.press('Tab');
  assert.equal(await fresh.page.evaluate(() => document.activeElement.id), 'pick');
  await fresh.close();
});

test('on a wide screen no word of a check is broken', async () => {
  const it = await open();
  await drop(it.page, accepted('bundle'));
  const broken = await it.page.evaluate(() => {
    const lines = (text, from, to) => {
      const range = document.createRange();
      range.setStart(text, from);
      range.setEnd(text, to);
      return new Set([...range.getClientRects()].map((part) => part.top)).size;
    };
    const texts = [...document.querySelectorAll('#checks td:nth-child(2)')].map((cell) => cell.firstChild);
    if (texts.length < 10) return ['no checks'];
    return texts.flatMap((text) => [...text.data.matchAll(/\S+/g)].filter((word) => lines(text, word.index, word.index + word[0].length) > 1).map(([word]) => word));
  });
  assert.deepEqual(broken, []);
  await it.close();
});
