// A page in a real browser that talks to a real enclave through a relay, end to end: it cannot see the key of its own connection, and need not.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { launch } from '../ledger/browser.mjs';
import { boot } from './enclave.mjs';
import { chunks, held, relay } from './middle.mjs';
import { root } from './questions.mjs';
import { serve } from './served.mjs';

const npm = process.env.CHRYSALIS_NPM ?? join(root, 'build/npm');
const openai = join(process.env.CHRYSALIS_NODE ?? join(root, 'build/node'), 'node_modules/openai');
const { evidence } = await import(join(npm, 'node/index.js'));

let enclave;
let between;
let site;
let browser;
before(async () => {
  enclave = await boot();
  between = await relay(enclave.port);
  site = await serve({ npm, openai }, honest, new URL(between.url).origin);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  site?.stop();
  between?.stop();
  await enclave?.stop();
});
afterEach(() => { between.honest(); site.bring = honest; });

const honest = (nonce) => evidence(`https://127.0.0.1:${enclave.port}`, nonce);

// Runs `work` in a page of its own, with the options of `open`; and says what the page asked for.
async function during(work, more = {}) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const [found, wrong] = [[], []];
  page.on('request', (request) => found.push(new URL(request.url()).origin));
  page.on('pageerror', (error) => wrong.push(error.message));
  await page.exposeFunction('tell', more.tell ?? (() => {}));
  await page.goto(site.url);
  await page.waitForFunction(() => window.ready);
  try {
    const answer = await page.evaluate(work, { relay: between.url, policy: enclave.policy });
    assert.deepEqual(wrong, []);
    return { answer, found };
  } finally {
    await context.close();
  }
}

// The code of what a page's request ends with.
const code = async (options) => {
  try {
    const enclave = await window.open(options);
    const answer = await enclave.fetch(`${enclave.baseURL}/models`);
    return (await answer.json()).data[0].id;
  } catch (error) {
    return error.code ?? String(error);
  }
};

test('the official SDK streams in a page, and its words pass nobody in the open', async () => {
  let go;
  // The rest comes once the page has read some of it.
  between.down = held(new Promise((resolve) => { go = resolve; }));
  const { answer, found } = await during(async (options) => {
    const enclave = await window.open(options);
    const client = new window.OpenAI({ baseURL: enclave.baseURL, fetch: enclave.fetch, apiKey: 'unused', dangerouslyAllowBrowser: true, maxRetries: 0 });
    const answer = await client.chat.completions.create({
      model: 'smollm2-135m-instruct', stream: true, max_tokens: 16, temperature: 0,
      messages: [{ role: 'user', content: 'What is the capital of France? Answer in one word.' }],
    });
    let text = '';
    for await (const piece of answer) {
      window.tell();
      text += piece.choices[0]?.delta.content ?? '';
    }
    return { text, verdict: enclave.verdict.verdict, simulated: enclave.verdict.simulated };
  }, { tell: () => go() });
  assert.match(answer.text, /Paris/);
  assert.deepEqual([answer.verdict, answer.simulated], ['trusted', true]);
  assert.deepEqual([...new Set(found)].sort(), [new URL(site.url).origin, new URL(between.url).origin].sort(), 'nobody else was asked for anything');
  for (const passed of [...between.sent, ...between.bodies]) assert.ok(!/France|Paris|smollm|completions/.test(passed.toString('latin1')));
});

test('lies about evidence, and lies about answers, in a page', async () => {
  assert.equal((await during(code)).answer, 'smollm2-135m-instruct');
  const old = await honest('ab'.repeat(32));
  const sent = between.sent.length;
  for (const [bring, wanted] of [
    [async () => old, 'binding_mismatch'],
    [async (nonce) => ({ ...await honest(nonce), keys: Buffer.from(Buffer.from(old.keys, 'base64').fill(1, 100, 110)).toString('base64') }), 'relay_keys_unproved'],
    [async () => null, 'protocol_error'],
  ]) {
    site.bring = bring;
    assert.equal((await during(code)).answer, wanted);
  }
  assert.equal(between.sent.length, sent);
  site.bring = honest;
  const told = (change) => async (from, answer) => {
    const parts = [];
    for await (const part of from) parts.push(part);
    answer.end(Buffer.concat(change(chunks(Buffer.concat(parts)))));
  };
  for (const [change, wanted] of [
    [(parts) => parts.slice(0, -1), 'incomplete_answer'],
    [([nonce, head, body, ...rest]) => [nonce, body, head, ...rest], 'answer_altered'],
    [() => [between.bodies[0]], 'answer_altered'],
  ]) {
    between.down = told(change);
    assert.equal((await during(code)).answer, wanted);
  }
  for (const [instead, wanted] of [
    [(answer) => answer.writeHead(302, { location: site.url }).end(), 'relay_failed'],
    [(answer) => answer.writeHead(200, { 'content-type': 'application/json' }).end('{"data": [{"id": "a lie"}]}'), 'relay_failed'],
    [(answer) => { answer.removeHeader('access-control-allow-origin'); answer.end(); }, 'unreachable'],
    [(answer) => { answer.writeHead(200, { 'content-type': 'message/ohttp-chunked-res' }).write('x'); setTimeout(() => answer.destroy(), 100); }, 'incomplete_answer'],
  ]) {
    between.honest();
    between.instead = (answer) => { instead(answer); return true; };
    assert.equal((await during(code)).answer, wanted);
  }
});

test('a page may put it in the place of its own fetch, and stop listening', async () => {
  const { answer } = await during(async (options) => {
    const enclave = await window.open(options);
    window.fetch = enclave.fetch;
    const models = await (await fetch(`${enclave.baseURL}/models`)).json();
    const { body } = await fetch(`${enclave.baseURL}/models`);
    await body.cancel();
    const elsewhere = await fetch('/evidence').catch((error) => error.code);
    enclave.close();
    return [models.data.length, elsewhere, await fetch(`${enclave.baseURL}/models`).catch((error) => error.code)];
  });
  assert.deepEqual(answer, [1, 'other_host', 'session_closed']);
});
