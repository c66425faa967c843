// The page in a real browser: what it verifies, what it says where something is wrong, and who can use it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DESKTOP, PHONE, launch } from './browser.mjs';
import { Log, Network, signedReport } from './fixtures.mjs';
import { serve } from './serve.mjs';

let browser;
const servers = [];
before(async () => { browser = await launch(); });
after(async () => {
  await browser?.close();
  await Promise.all(servers.map((server) => server.close()));
});

// The page of a network, and what the test may change while it is open: `now.network`, `now.options`.
async function open(network, options = {}, { ready = /verified here|No reports/, ...context } = {}) {
  const now = { network, options };
  const server = await serve(() => [now.network, now.options]);
  servers.push(server);
  const page = await (await browser.newContext({ viewport: DESKTOP, ...context })).newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => { if (message.type() === 'error' && !message.location().url.endsWith('favicon.ico')) errors.push(message.text()); });
  await page.addInitScript(() => {
    window.shifts = 0;
    new PerformanceObserver((list) => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value; }).observe({ type: 'layout-shift', buffered: true });
  });
  await page.goto(server.url);
  const wait = (pattern) => page.waitForFunction((source) => new RegExp(source).test(document.getElementById('verdict').textContent), pattern.source);
  if (ready) await wait(ready);
  return {
    page, now, errors, wait, url: server.url,
    verdict: () => page.textContent('#verdict'),
    state: () => page.getAttribute('#verdict', 'data-state'),
    findings: () => page.locator('#findings li').allTextContents(),
    rows: (state) => page.locator(`.providers tbody tr[data-state=${state}]`),
    close: () => page.context().close(),
  };
}
// A copy of a summary in which one provider's row is changed.
const change = (at, how) => (summary) => { how(summary.providers[at], summary); return summary; };
const flip = (text, at) => { const bytes = Buffer.from(text, 'base64'); bytes[at] ^= 1; return bytes.toString('base64'); };

// The default network's page, as the directory writes it.
const rendered = process.env.CHRYSALIS_LEDGER_PAGE;

test('everything is verified, and the index recomputed', async () => {
  const it = await open(new Network(), { rendered });
  assert.equal(await it.verdict(), '80 of 80 reports verified here, index recomputed');
  assert.equal(await it.state(), 'ok');
  assert.equal(await it.rows('ok').count(), 40);
  assert.deepEqual(await it.findings(), []);
  assert.match(await it.page.textContent('#bands'), /Simulated.*Local chain/);
  assert.match(await it.page.textContent('#rewards'), /Revenue is no reputation: an operator can pay itself/);
  assert.equal(await it.page.locator('#classes svg title').count(), 4);
  assert.match(await it.page.textContent('#classes svg desc'), /lowest .* highest .* now .* GRAM/);
  assert.deepEqual(it.errors, []);
  const shifts = await it.page.evaluate(() => window.shifts);
  console.log(`layout shift: ${shifts.toFixed(4)}`);
  if (rendered) assert.ok(shifts < 0.1);
  await it.close();
});

test('without its script the page is a table of what the directory says', { skip: !rendered && 'the directory did not write the page' }, async () => {
  const network = new Network();
  const it = await open(network, { rendered }, { ready: null, javaScriptEnabled: false });
  const summary = network.summary();
  assert.equal(await it.verdict(), 'Nothing here is verified yet');
  assert.equal(await it.state(), 'none');
  assert.match(await it.page.textContent('noscript'), /checks none of it/);
  assert.equal(await it.page.locator('.providers tbody tr').count(), 40);
  assert.equal(await it.rows('ok').count(), 0);
  const cells = await it.page.locator('.providers tbody tr').first().locator('th, td').allTextContents();
  const cheapest = summary.providers.reduce((best, row) => (BigInt(row.price) < BigInt(best.price) ? row : best));
  assert.deepEqual(cells.slice(1, 4), [cheapest.operator, cheapest.class, cheapest.region || '–']);
  assert.equal(await it.page.locator('#classes tr').count(), 4);
  assert.equal(await it.page.locator('#operators tr').count(), summary.operators.length);
  assert.match(await it.page.textContent('#bands'), /Simulated.*Local chain/);
  assert.match(await it.page.textContent('#head'), new RegExp(summary.log.root));
  // The script shows the same.
  const seen = await open(network, { rendered });
  for (const place of ['#classes .price', '#operators', '.providers tbody .price-each', '.providers tbody .key', '#bands', '#count']) {
    assert.deepEqual(await seen.page.locator(place).allTextContents(), await it.page.locator(place).allTextContents(), place);
  }
  await it.close();
  await seen.close();
});

test('bands are for simulated providers and local chains alone', async () => {
  const it = await open(new Network({ simulated: false, local: false }));
  assert.equal(await it.page.locator('.band').count(), 0);
  await it.close();
});

test('a flipped byte turns its row red, wherever it is', async () => {
  const network = new Network({ providers: 12, history: 4 });
  const it = await open(network, { tamper: change(5, (row) => { row.reports.last = flip(row.reports.last, 60); }) });
  assert.equal(await it.rows('bad').count(), 1);
  assert.equal(await it.rows('bad').locator('.key').textContent(), network.providers[5].operator.key);
  assert.match(await it.rows('bad').textContent(), /report_/);
  assert.match(await it.verdict(), /^23 of 24 reports verified here/);
  assert.equal(await it.state(), 'bad');
  const red = await it.rows('bad').evaluate((row) => getComputedStyle(row).color);
  assert.equal(red, 'rgb(163, 32, 27)');
  // Every byte of a report: none is believed.
  const { length } = network.providers[5].last;
  const codes = await it.page.evaluate(async ([rows, kind, weights]) => {
    const { examine } = await import('/ledger.js');
    const found = await Promise.all(rows.map((row) => examine(row, kind, weights)));
    return found.map(({ state, code }) => `${state} ${code}`);
  }, [Array.from({ length }, (_, at) => change(5, (row) => { row.reports.last = flip(row.reports.last, at); })(network.summary()).providers[5]),
    network.providers[5].which.kind, network.providers[5].weights.toString('hex')]);
  assert.deepEqual([...new Set(codes)].sort(), ['bad report_malformed', 'bad report_signature']);
  await it.close();
});

test('a withheld report is named', async () => {
  const network = new Network({ providers: 12, history: 4 });
  const it = await open(network, { tamper: change(3, (row) => { row.reports.before = null; }) });
  assert.equal(await it.rows('gap').count(), 1);
  const epoch = network.providers[3].epoch;
  assert.match(await it.rows('gap').textContent(), new RegExp(`report_withheld: the report of epoch ${epoch - 1n} is missing`));
  assert.equal(await it.verdict(), '22 of 23 reports verified here, index recomputed');
  assert.equal(await it.state(), 'warn');
  assert.match((await it.findings()).join(), new RegExp(`Provider ${network.providers[3].id.slice(0, 8)}.*report_withheld`));
  // One in the middle.
  const [earlier] = [network.providers[3].last.toString('base64')];
  network.step();
  network.step();
  it.now.options = { tamper: change(3, (row) => { row.reports.before = earlier; }) };
  await it.page.reload();
  await it.wait(/verified here/);
  assert.match(await it.rows('gap').textContent(), new RegExp(`the report of epoch ${epoch + 1n} is missing`));
  await it.close();
});

test('a broken price rule is refused, though it is signed', async () => {
  const network = new Network({ providers: 12, history: 4 });
  for (const [which, how, what] of [
    [0, (fields) => ({ ...fields, x: fields.x + 1n }), /x is \d+, the rule makes \d+/],
    [1, (fields) => ({ ...fields, asked: fields.asked.map((price) => price * 2n) }), /it asked .* x and floor make/],
    [2, (fields) => ({ ...fields, floor: fields.floor * 2n }), /the floor moved by more than an eighth/],
    [3, (fields) => ({ ...fields, rates: fields.rates.map((rate) => rate + 1n) }), /the rates changed/],
  ]) network.providers[which].lie = [how, what];
  for (const it of network.providers.filter(({ lie }) => lie)) it.last = signedReport(it.lie[0](it.fields), it.keys.key);
  const it = await open(network);
  assert.equal(await it.rows('bad').count(), 4);
  const all = (await it.rows('bad').allTextContents()).join('\n');
  for (const { lie } of network.providers.filter((provider) => provider.lie)) assert.match(all, lie[1]);
  assert.equal(await it.state(), 'bad');
  await it.close();
});

test('a wrong index, and a row that says other than its report, are named', async () => {
  const it = await open(new Network({ providers: 12, history: 4 }), { tamper: (summary) => {
    summary.classes[1].index = `${BigInt(summary.classes[1].index) + 1000n}`;
    summary.concentration[2].hhi += 1;
    summary.providers[0].price = '1';
    return summary;
  } });
  assert.match(await it.verdict(), /23 of 24 reports verified here, index does not follow/);
  const findings = (await it.findings()).join('\n');
  assert.match(findings, /smollm2-135m-instruct: index: the directory says 0\.\d+, its reports make 0\.\d+/);
  assert.match(findings, /minilm-l6-v2: HHI/);
  assert.match(findings, /row_mismatch: the row says 1 for price; the enclave signed \d+/);
  assert.equal(await it.page.locator('#classes tr[data-state=bad]').count(), 2);
  await it.close();
});

test('a report of another enclave, and two for one epoch, are refused', async () => {
  const network = new Network({ providers: 12, history: 4, refresh: 1 });
  const it = await open(network, { tamper: change(2, (row, { providers }) => { row.reports = providers[6].reports; }) });
  assert.match(await it.rows('bad').textContent(), /listing_mismatch/);
  it.now.options = {};
  await it.wait(/^24 of 24/);
  const twice = network.providers[4];
  twice.last = signedReport({ ...twice.fields, jobs: twice.fields.jobs + 1n }, twice.keys.key);
  await it.wait(/^23 of 24/);
  assert.match(await it.rows('bad').textContent(), /report_forked: it signed two different reports/);
  await it.close();
});

test('the log is followed; a fork, a shrink, another key and a missing proof are a red band', async () => {
  const network = new Network({ providers: 4, history: 4, refresh: 1 });
  const it = await open(network);
  assert.match(await it.page.textContent('#followed'), /First seen by this browser now/);
  network.step();
  await it.page.waitForFunction(() => /the proof of growth holds/.test(document.getElementById('followed').textContent));
  assert.equal(await it.page.locator('.alarm').count(), 0);
  const { log } = network, { leaves, heads } = log;
  const alarm = async (code) => {
    await it.page.reload();
    await it.page.waitForSelector('.band.alarm');
    assert.match(await it.page.textContent('.band.alarm'), new RegExp(code));
    await it.page.waitForFunction(() => document.getElementById('verdict').dataset.state === 'bad');
  };
  // Another last entry; then nothing of it.
  log.leaves = [...leaves.slice(0, -1), leaves[0]];
  await alarm('log_forked');
  assert.equal(await it.page.isVisible('#proof'), true);
  log.leaves = leaves.slice(0, -1);
  await alarm('log_shrunk');
  // More entries, over another history.
  log.leaves = [leaves[3], ...leaves.slice(1), leaves[0]];
  log.heads = [...heads, leaves.length + 1];
  await alarm('log_forked');
  it.now.options = { files: { [`/consistency/${leaves.length}`]: null } };
  await alarm('log_growth_missing');
  it.now.options = {};
  network.log = Object.assign(new Log(log.origin, 'another'), { leaves, heads });
  await alarm('log_key_changed');
  // As it was: nothing was forgotten.
  network.log = Object.assign(log, { leaves, heads });
  await it.page.reload();
  await it.wait(/verified here/);
  assert.equal(await it.page.locator('.alarm').count(), 0);
  assert.match(await it.page.textContent('#followed'), /Has the \d+ entries seen/);
  // A head that its key did not sign.
  it.now.options = { files: { '/checkpoint': ['text/plain', log.note().replace(/\n\d+\n/, '\n999\n')] } };
  await alarm('checkpoint_signature');
  // A person can start over with a log that was set up anew.
  it.now.options = {};
  network.log = Object.assign(new Log(log.origin, 'another'), { leaves, heads });
  await alarm('log_key_changed');
  await it.page.click('.band.alarm button');
  await it.page.waitForFunction(() => !document.querySelector('.alarm') && document.getElementById('verdict').dataset.state === 'ok');
  await it.close();
});

test('a price that moves under load shows within two epochs', async () => {
  const network = new Network({ providers: 8, refresh: 1 });
  const it = await open(network);
  const shown = () => it.page.locator('#classes .price strong').first().textContent();
  const first = await shown();
  network.step({ load: 1 });
  network.step({ load: 1 });
  await it.page.waitForFunction((was) => document.querySelector('#classes .price strong').textContent !== was, first);
  const ratio = Number(await shown()) / Number(first);
  assert.ok(ratio > 1.1 && ratio < 1.35, `${ratio}`);
  await it.wait(/^16 of 16 reports verified here, index recomputed/);
  await it.close();
});

test('without Ed25519 nothing is verified, and nothing is green', async () => {
  const now = await open(new Network({ providers: 12, history: 4 }), {}, { ready: null });
  await now.page.addInitScript(() => {
    const real = crypto.subtle.importKey.bind(crypto.subtle);
    crypto.subtle.importKey = (...given) => (JSON.stringify(given).includes('Ed25519') ? Promise.reject(new DOMException('Unrecognized name.', 'NotSupportedError')) : real(...given));
  });
  await now.page.reload();
  await now.wait(/Nothing is verified here/);
  assert.equal(await now.state(), 'warn');
  assert.match(await now.page.textContent('#detail'), /no Ed25519/);
  assert.equal(await now.rows('unchecked').count(), 12);
  assert.equal(await now.rows('ok').count(), 0);
  await now.close();
});

test('names that are markup are text', async () => {
  const hostile = ['<img src=x onerror=alert(1)>', '"><script>window.hit=1</script>', "javascript:alert(1)", '\u202Etxt.exe', '</td></table><h1>hello', '&lt;b&gt;', 'x'.repeat(200)];
  const classes = hostile.slice(0, 3).map((name) => ({ name, kind: 'chat', floor: 9_000_000, slots: 4, speed: 90 }));
  const network = new Network({ providers: 12, history: 8, classes });
  network.providers.forEach((provider, at) => Object.assign(provider, { region: hostile[at % hostile.length], release: hostile[(at + 1) % hostile.length], platform: hostile[(at + 2) % hostile.length] }));
  network.name = hostile[1];
  const it = await open(network);
  let dialogs = 0;
  it.page.on('dialog', () => { dialogs += 1; });
  assert.equal(await it.page.textContent('#name'), hostile[1]);
  assert.equal(await it.page.locator('img, script:not([src="ledger.js"]), td h1').count(), 0);
  assert.equal(await it.page.evaluate(() => window.hit), undefined);
  await it.page.selectOption('#class', hostile[0]);
  assert.equal(await it.page.locator('.providers tbody tr').count(), 4);
  assert.ok((await it.page.locator('.providers .region').allTextContents()).every((text) => hostile.includes(text)));
  assert.equal(dialogs, 0);
  assert.ok(await it.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  // And were there a way in, nothing would run.
  await assert.rejects(it.page.evaluate(() => { document.body.innerHTML = '<b>'; }), /TrustedHTML/);
  await it.close();
});

test('the table sorts by its headers and shows what is asked for', async () => {
  const it = await open(new Network());
  const column = async (kind) => it.page.locator(`.providers tbody tr > .${kind}`).allTextContents();
  const numbers = async () => (await column('price-each')).map(Number);
  assert.deepEqual(await numbers(), [...await numbers()].sort((a, b) => a - b));
  await it.page.click('#columns [data-by=price] button');
  assert.equal(await it.page.getAttribute('#columns [data-by=price]', 'aria-sort'), 'descending');
  assert.deepEqual(await numbers(), [...await numbers()].sort((a, b) => b - a));
  await it.page.click('#columns [data-by=region] button');
  const regions = (await column('region')).map((region) => (region === '–' ? '' : region));
  assert.deepEqual(regions, [...regions].sort());
  await it.page.click('#columns [data-by=tokens_per_second] button');
  assert.equal(await it.page.getAttribute('#columns [data-by=tokens_per_second]', 'aria-sort'), 'descending');
  await it.page.selectOption('#class', 'whisper-base');
  assert.deepEqual([...new Set(await column('model'))], ['whisper-base']);
  await it.page.fill('#find', 'EU-');
  assert.ok((await column('region')).every((region) => region.startsWith('eu-')));
  assert.match(await it.page.textContent('#count'), /^\d+ of 40 providers/);
  await it.page.fill('#find', 'nobody');
  assert.equal((await column('region')).length, 0);
  await it.close();
});

test('the keyboard alone reaches everything, and shows where it is', async () => {
  const it = await open(new Network({ operators: 40, providers: 120 }));
  const reached = [];
  for (let press = 0; press < 60; press += 1) {
    await it.page.keyboard.press('Tab');
    const at = await it.page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(element), box = element.getBoundingClientRect();
      const seen = box.width > 0 && box.left >= 0 && box.right <= innerWidth + 1 && box.bottom > 0 && box.top < innerHeight;
      return { name: element.closest('label')?.textContent.trim().split(/\s/)[0] ?? element.textContent.trim(), visible: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2, seen };
    });
    if (!at) break;
    reached.push(at);
  }
  assert.deepEqual(reached.filter(({ visible, seen }) => !visible || !seen), []);
  assert.deepEqual(reached.map(({ name }) => name), ['Skip to the providers', 'Prices', 'Providers', 'Rewards', 'Log', 'Model', 'Find',
    'Checked', 'Operator', 'Model', 'Region', 'Platform', 'Release', 'Price', 'In use', 'First token', 'Tokens/s', 'Uptime', 'Show all 30', 'the JSON']);
  // Sorts, filters and unfolds.
  await it.page.focus('#columns [data-by=uptime] button');
  await it.page.keyboard.press('Enter');
  assert.equal(await it.page.getAttribute('#columns [data-by=uptime]', 'aria-sort'), 'descending');
  await it.page.keyboard.press('Space');
  assert.equal(await it.page.getAttribute('#columns [data-by=uptime]', 'aria-sort'), 'ascending');
  await it.page.focus('#class');
  await it.page.keyboard.press('ArrowDown');
  await it.page.waitForFunction(() => /^\d+ of 120/.test(document.getElementById('count').textContent));
  await it.page.focus('#all-operators');
  await it.page.keyboard.press('Enter');
  assert.equal(await it.page.locator('#operators tr').count(), 30);
  await it.close();
});

test('a screen reader finds tables, with their headers', async () => {
  const it = await open(new Network());
  const tree = await it.page.locator('main').ariaSnapshot();
  assert.match(tree, /table "Providers"/);
  assert.match(tree, /columnheader "Price"/);
  assert.match(tree, /rowheader "[0-9a-f]{64}"/);
  assert.match(tree, /img "Price of qwen3-30b-a3b-instruct/);
  assert.match(tree, /status: 80 of 80 reports verified here/);
  await it.close();
});

// WCAG's contrast of every text that is shown with what is behind it.
const contrasts = () => {
  const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number); return { r, g, b, a }; };
  const light = ({ r, g, b }) => [r, g, b].map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)).reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const worst = new Map();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || element.closest('noscript, svg, [hidden], option')) continue;
    let behind = element;
    while (behind && parse(getComputedStyle(behind).backgroundColor).a === 0) behind = behind.parentElement;
    const [front, back] = [light(parse(getComputedStyle(element).color)), light(parse(getComputedStyle(behind ?? document.documentElement).backgroundColor))];
    const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    const name = `${element.tagName.toLowerCase()}.${element.className}`;
    if (contrast < (worst.get(name)?.contrast ?? 99)) worst.set(name, { contrast, text: walk.currentNode.textContent.trim().slice(0, 40) });
  }
  return [...worst].map(([name, it]) => ({ name, ...it }));
};
for (const colorScheme of ['light', 'dark']) {
  test(`text has a contrast of 4.5 at least, ${colorScheme}`, async () => {
    const network = new Network({ providers: 12, history: 8 });
    // Red, amber and grey rows, and a red band, among the rest.
    const tamper = (summary) => {
      summary.providers[1].reports.last = flip(summary.providers[1].reports.last, 300);
      summary.providers[2].reports.before = null;
      summary.providers[3].reports = { last: null, before: null };
      return summary;
    };
    const it = await open(network, { tamper, files: { '/checkpoint': ['text/plain', network.log.note().replace(/\n\d+\n/, '\n999\n')] } }, { colorScheme });
    await it.page.waitForSelector('.alarm');
    const found = await it.page.evaluate(contrasts);
    assert.ok(found.length > 25, `${found.length}`);
    console.log(`least contrast, ${colorScheme}: ${Math.min(...found.map(({ contrast }) => contrast)).toFixed(2)}`);
    assert.deepEqual(found.filter(({ contrast }) => contrast < 4.5), []);
    await it.close();
  });
}

test('nothing is wider than a window of 320 pixels, or than one of 1440', async () => {
  for (const width of [320, 360, 600, 800, 1000, 1440]) {
    const it = await open(new Network({ providers: 12, history: 8 }), {}, { viewport: { ...PHONE, width } });
    assert.equal(await it.page.evaluate(() => document.documentElement.scrollWidth), width);
    await it.close();
  }
});

test('a directory that falls silent is named, and what it said last stays', async () => {
  const it = await open(new Network({ providers: 8, history: 4, refresh: 1 }));
  it.now.options = { files: { '/v1/ledger/summary.json': null } };
  await it.page.waitForSelector('.band >> text=The directory does not answer');
  assert.equal(await it.rows('ok').count(), 8);
  it.now.options = {};
  await it.page.waitForFunction(() => !/does not answer/.test(document.getElementById('bands').textContent));
  await it.close();
});

test('five thousand providers are verified, and scroll', async () => {
  const it = await open(new Network({ providers: 5000, operators: 300, history: 2 }), {}, { ready: null });
  await it.page.waitForFunction(() => /verified here/.test(document.getElementById('verdict').textContent), null, { timeout: 120_000 });
  assert.equal(await it.verdict(), '10,000 of 10,000 reports verified here, index recomputed');
  console.log(await it.page.textContent('#detail'));
  const rate = await it.page.evaluate(async () => {
    const frame = () => new Promise(requestAnimationFrame);
    const gaps = [];
    let last = await frame();
    for (let at = 0; at < 240; at += 1) {
      scrollBy(0, 400);
      const now = await frame();
      gaps.push(now - last);
      last = now;
    }
    gaps.sort((a, b) => a - b);
    return { mean: (gaps.length * 1000) / gaps.reduce((a, b) => a + b), p95: gaps[Math.floor(gaps.length * 0.95)], moved: scrollY };
  });
  console.log(`5,000 rows: ${rate.mean.toFixed(0)} frames a second, 95 of 100 frames within ${rate.p95.toFixed(0)} ms`);
  assert.ok(rate.moved > 50_000);
  const began = Date.now();
  await it.page.click('#columns [data-by=tokens_per_second] button');
  console.log(`5,000 rows sorted in ${Date.now() - began} ms`);
  await it.close();
});
