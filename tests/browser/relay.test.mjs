// The `fetch` for pages, through a relay to a real enclave: by the official SDK in Node and in a page of Chromium, and with every lie that
// whoever brings evidence or carries requests can tell.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { boot, chrysalis } from './enclave.mjs';
import { asked, chunks, held, relay, silent } from './middle.mjs';
import { root } from './questions.mjs';

const npm = process.env.CHRYSALIS_NPM ?? join(root, 'build/npm');
const { NoVerdict, Untrusted, through } = await import(join(npm, 'relay/index.js'));
const { evidence: bring } = await import(join(npm, 'node/index.js'));
const { verify } = await import(join(npm, 'index.js'));
const { decode, encode } = await import(join(npm, 'common/saved.js'));
const { keyOf, ready } = await import(join(npm, 'relay/sealed.js'));
const { OpenAI } = createRequire(join(process.env.CHRYSALIS_NODE ?? join(root, 'build/node'), '/'))('openai');

const model = 'smollm2-135m-instruct';
const messages = [{ role: 'user', content: 'What is the capital of France? Answer in one word.' }];
const chat = { model, messages, temperature: 0, max_tokens: 16 };
const long = { model, messages: [{ role: 'user', content: 'Write a long story about a caterpillar.' }], temperature: 0, max_tokens: 256, stream: true };
const story = { ...long, max_tokens: 48 };
const ask = (body, more) => ({ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), ...more });
const CHAT = 'https://enclave.invalid/v1/chat/completions';
const MODELS = 'https://enclave.invalid/v1/models';

// Two enclaves of the same vendors and the same image: whatever is proved of one is genuine, and is not proved of the other.
let enclave;
let other;
let between;
before(async () => {
  enclave = await boot();
  other = await boot(enclave.state);
  between = await relay(enclave.port);
  await ready();
});
after(async () => {
  between?.stop();
  await other?.stop();
  await enclave?.stop();
});
afterEach(() => between.honest());

const at = ({ port }) => `https://127.0.0.1:${port}`;
const honest = (nonce) => bring(at(enclave), nonce);
const open = (more) => through({ relay: between.url, evidence: honest, policy: enclave.policy, ...more });
const refusedAs = (code) => (error) => {
  assert.ok(error instanceof Untrusted, `${error.stack}\n${error.cause?.stack}`);
  assert.equal(error.code, code, error.message);
  assert.ok(error.hint?.length > 10 && !error.message.includes('undefined'), error.message);
  return true;
};

async function during(more, work) {
  const session = await open(more);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}

// Evidence as `change` makes it of what is honest: a session's parts, and the keys.
const changed = (change) => async (nonce) => {
  const { session, keys } = await honest(nonce);
  const parts = decode(new Uint8Array(Buffer.from(session, 'base64')));
  const told = await change({ ...parts, keys: Buffer.from(keys, 'base64') }, nonce);
  return { session: encode(told), keys: told.keys };
};

// How an answer ends that was read to its end.
const end = async (answer) => { for await (const piece of (await answer).body) void piece; };

test('the official SDK chats and streams, and the relay reads nothing', async () => {
  await during({}, async (session) => {
    between.sent.length = 0;
    between.bodies.length = 0;
    const client = new OpenAI({ baseURL: session.baseURL, apiKey: 'unused', fetch: session.fetch, maxRetries: 0 });
    const said = await client.chat.completions.create(chat);
    assert.match(said.choices[0].message.content, /Paris/);
    let streamed = '';
    let pieces = 0;
    for await (const piece of await client.chat.completions.create({ ...chat, stream: true })) {
      streamed += piece.choices[0]?.delta.content ?? '';
      pieces += 1;
    }
    assert.equal(streamed, said.choices[0].message.content);
    assert.ok(pieces > 3);
    assert.deepEqual((await client.models.list()).data.map((it) => it.id), [model]);
    await assert.rejects(client.chat.completions.create({ ...chat, model: 'another' }), { status: 404 });
    assert.equal(session.verdict.verdict, 'trusted');
    // Four requests of one size, none of which says what another one did.
    assert.equal(between.sent.length, 4);
    assert.equal(new Set(between.sent.map((body) => body.length)).size, 1);
    assert.equal(new Set(between.sent.map((body) => body.toString('hex'))).size, 4);
    for (const passed of [...between.sent, ...between.bodies]) assert.ok(!/France|Paris|smollm|completions/.test(passed.toString('latin1')));
  });
});

test('an answer streams: all of it is read before the relay brings the final chunk, without which it is not whole', async () => {
  await during({}, async (session) => {
    let go;
    between.down = held(new Promise((resolve) => { go = resolve; }));
    const { body } = await session.fetch(CHAT, ask(story));
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let [text, pieces] = ['', 0];
    for (; !text.includes('data: [DONE]'); pieces += 1) text += (await reader.read()).value;
    assert.ok(pieces > 3);
    go();
    while (!(await reader.read()).done) { /* what fills it up */ }
  });
});

test('what was verified can be verified again, by the package and by the command line', async () => {
  await during({}, async (session) => {
    const [file, rules] = [join(enclave.state, 'page.cbor'), join(enclave.state, 'page.toml')];
    writeFileSync(file, session.saved);
    writeFileSync(rules, enclave.policy);
    assert.equal((await verify(session.saved, enclave.policy)).verdict, 'trusted');
    const again = JSON.parse(chrysalis('verify', file, '--policy', rules, '--format', 'json'));
    assert.equal(again.verdict, 'trusted');
    assert.match(again.checks.find((it) => it.name === 'key agreement').detail, /X-Wing/);
  });
});

test('what the bringer\'s own connection was agreed by is of no matter', async () => {
  for (const agreement of [undefined, 'x25519', 'none']) {
    const session = await open({ evidence: changed((told) => ({ ...told, agreement })) });
    assert.equal(session.verdict.verdict, 'trusted');
    session.close();
  }
});

test('each lie about evidence is refused by name, and nothing is sent', async () => {
  const sent = between.sent.length;
  const old = await honest('ab'.repeat(32));
  const theirs = await bring(at(other), 'ab'.repeat(32));
  const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64'));
  const lies = [
    ['old evidence', async () => old, 'binding_mismatch'],
    ['old evidence that claims our nonce', changed((told, nonce) => ({ ...told, bundle: decode(bytes(old.session)).bundle, nonce: Buffer.from(nonce, 'hex') })), 'binding_mismatch'],
    ['the evidence of somebody else\'s nonce', () => honest('cd'.repeat(32)), 'binding_mismatch'],
    ['another connection\'s exporter', changed((told) => ({ ...told, exporter: new Uint8Array(32) })), 'binding_mismatch'],
    ['another TLS key', changed((told) => ({ ...told, spki: decode(bytes(theirs.session)).spki })), 'binding_mismatch'],
    ['evidence of another enclave, with the keys of this one', async (nonce) => ({ ...await bring(at(other), nonce), keys: old.keys }), 'relay_keys_unproved'],
    ['the keys of another enclave', changed((told) => ({ ...told, keys: bytes(theirs.keys) })), 'relay_keys_unproved'],
    ['X25519 alone', changed((told) => ({ ...told, keys: told.keys.subarray(2 + told.keys.readUInt16BE(0)) })), 'relay_keys_unproved'],
    ['a key of the liar\'s own', changed((told) => ({ ...told, keys: told.keys.fill(7, 10, 20) })), 'relay_keys_unproved'],
    ['keys, and one more', changed((told) => ({ ...told, keys: Buffer.concat([bytes(theirs.keys), told.keys]) })), 'relay_keys_unproved'],
    ['no keys', changed((told) => ({ ...told, keys: new Uint8Array(0) })), 'relay_keys_unproved'],
    ['evidence that is none', changed((told) => ({ ...told, bundle: new Uint8Array(100) })), 'bundle_malformed'],
    ['altered evidence', changed((told) => ({ ...told, bundle: told.bundle.map((byte, index) => (index === 2000 ? byte ^ 1 : byte)) })), undefined],
    ['no session', async () => ({ keys: old.keys }), 'protocol_error'],
    ['nothing', async () => null, 'protocol_error'],
    ['a bare bundle', async () => ({ ...old, session: decode(bytes(old.session)).bundle }), 'protocol_error'],
    ['what is not base64', async () => ({ ...old, session: '%%%' }), 'protocol_error'],
    ['a session without end', async () => ({ ...old, session: new Uint8Array(2 ** 21) }), 'protocol_error'],
    ['keys without end', async () => ({ ...old, keys: 'A'.repeat(2 ** 20) }), 'protocol_error'],
  ];
  for (const [lie, evidence, code] of lies) {
    await assert.rejects(open({ evidence }), (error) => (code ? refusedAs(code)(error) : error instanceof Untrusted && error.verdict.verdict === 'rejected'), lie);
  }
  await assert.rejects(open({ policy: enclave.policy.replace(/launch_digest = \["../, 'launch_digest = ["00') }), refusedAs('launch_digest_unknown'));
  await assert.rejects(open({ evidence: async () => { throw new RangeError('no server'); } }), RangeError);
  assert.equal(between.sent.length, sent);
});

test('X25519 is not taken, though the hardware had signed it', async () => {
  const { createHash } = await import('node:crypto');
  const keys = Buffer.from((await honest('ab'.repeat(32))).keys, 'base64');
  const classical = keys.subarray(2 + keys.readUInt16BE(0));
  const digest = (list) => createHash('sha256').update(list).digest('hex');
  assert.ok(keyOf(keys, digest(keys)));
  assert.throws(() => keyOf(classical, digest(classical)), refusedAs('key_agreement_weak'));
  assert.throws(() => keyOf(keys, digest(classical)), refusedAs('relay_keys_unproved'));
  assert.throws(() => keyOf(keys, undefined), refusedAs('relay_keys_unproved'));
});

test('a saved session is read only as it is written', async () => {
  const session = new Uint8Array(Buffer.from((await honest('ab'.repeat(32))).session, 'base64'));
  assert.deepEqual(encode(decode(session)), session);
  assert.equal(decode(new Uint8Array(0)), undefined);
  const ends = [1, 2, 5, 6, 100, session.length - 1];
  for (const length of ends) assert.equal(decode(session.subarray(0, length)), undefined, String(length));
  assert.equal(decode(new Uint8Array([...session, 0])), undefined);
  const small = encode({ spki: Uint8Array.of(1), nonce: new Uint8Array(32), bundle: Uint8Array.of(2), exporter: new Uint8Array(32), agreement: 'x25519' });
  for (let index = 0; index < small.length; index += 1) {
    for (const bit of [1, 2, 16, 128]) {
      const altered = Uint8Array.from(small);
      altered[index] ^= bit;
      const read = decode(altered);
      if (read) assert.deepEqual(encode(read), altered);
    }
  }
});

test('evidence that does not come, and evidence that comes late', async () => {
  await assert.rejects(open({ evidence: () => new Promise(() => {}), deadlines: { evidence: 100 } }), refusedAs('stalled'));
  let told;
  await assert.rejects(open({ evidence: (_, signal) => { told = signal; return new Promise(() => {}); }, signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' });
  assert.ok(told.aborted, 'who brings it hears that nobody waits');
  // Held back until its epoch was over: it is counted from when the nonce was drawn.
  let [ahead, asking] = [0, 0];
  const late = async (nonce) => {
    const brought = await honest(nonce);
    if (asking++ === 0) ahead = 30_000;
    return brought;
  };
  await during({ evidence: late, clock: () => Date.now() + ahead }, async (session) => {
    const { epoch_began: began, epoch_seconds: seconds } = session.verdict.claims;
    ahead = (began + seconds + 16) * 1000 - Date.now();
    assert.equal((await session.fetch(MODELS)).status, 200);
    assert.equal(asking, 2);
  });
});

test('each lie about an answer is refused by name', async () => {
  const once = (change) => async (from, answer) => {
    const parts = [];
    for await (const part of from) parts.push(part);
    const told = change(chunks(Buffer.concat(parts)));
    if (told) answer.end(Buffer.concat(told));
    else answer.write(parts[0], () => answer.socket.destroy());
  };
  await during({}, async (session) => {
    await end(session.fetch(MODELS));
    const before = between.bodies.at(-1);
    const flipped = (part, at) => Buffer.from(part.map((byte, index) => (index === at ? byte ^ 1 : byte)));
    const lies = [
      ['cut before the final chunk', (parts) => parts.slice(0, -1), 'incomplete_answer'],
      ['cut to its nonce', (parts) => parts.slice(0, 1), 'incomplete_answer'],
      ['cut to nothing', () => [], 'incomplete_answer'],
      ['cut in a chunk', (parts) => [...parts.slice(0, 2), parts[2].subarray(0, 9)], 'incomplete_answer'],
      ['cut, its connection too', () => undefined, 'incomplete_answer'],
      ['altered', (parts) => [parts[0], flipped(parts[1], 9), ...parts.slice(2)], 'answer_altered'],
      ['with another nonce', (parts) => [flipped(parts[0], 0), ...parts.slice(1)], 'answer_altered'],
      ['reordered', ([nonce, head, body, ...rest]) => [nonce, body, head, ...rest], 'answer_altered'],
      ['without its second chunk', ([nonce, head, , ...rest]) => [nonce, head, ...rest], 'answer_altered'],
      ['with a chunk twice', ([nonce, head, ...rest]) => [nonce, head, head, ...rest], 'answer_altered'],
      ['with something behind it', (parts) => [...parts, Buffer.of(0)], 'answer_altered'],
      ['that of a request before', () => [before], 'answer_altered'],
      ['what nobody sealed', () => [Buffer.alloc(32), Buffer.of(20), Buffer.alloc(20)], 'answer_altered'],
      ['a chunk without end', (parts) => [parts[0], Buffer.of(0xff, ...Array(16).fill(0xff))], 'answer_altered'],
    ];
    for (const [lie, change, code] of lies) {
      between.down = once(change);
      await assert.rejects(end(session.fetch(MODELS)), refusedAs(code), lie);
    }
    between.honest();
    assert.equal((await session.fetch(MODELS)).status, 200);
  });
});

test('what is no answer of the enclave\'s', async () => {
  const says = (status, kind, body = '', more = {}) => (answer) => answer.writeHead(status, { 'content-type': kind, ...more }).end(body);
  const open404 = says(200, 'application/json', '{"choices": [{"message": {"content": "from the relay"}}]}');
  const lies = [
    [open404, 'relay_failed'], [says(200, 'text/html', '<h1>hello</h1>'), 'relay_failed'], [says(500, 'message/ohttp-chunked-res'), 'relay_failed'],
    [says(302, 'text/plain', '', { location: 'http://127.0.0.1:1/' }), 'relay_failed'], [says(200, 'message/ohttp-res'), 'relay_failed'],
    [says(400, 'application/problem+json', '{"type": "about:blank"}'), 'relay_failed'], [says(400, 'application/problem+json', 'no JSON'), 'relay_failed'],
    [says(400, 'application/problem+json', 'null'), 'relay_failed'], [says(400, 'application/problem+json', `"${'#'.repeat(2 ** 17)}"`), 'relay_failed'],
    [says(400, 'application/json', '{"error": {"code": "request_replayed"}}'), 'relay_failed'], [(answer) => answer.socket.destroy(), 'unreachable'],
  ];
  let asking = 0;
  await during({ evidence: (nonce) => { asking += 1; return honest(nonce); } }, async (session) => {
    for (const [lie, code] of lies) {
      between.instead = (answer) => { lie(answer); return true; };
      await assert.rejects(session.fetch(MODELS), refusedAs(code), String(lie));
    }
    assert.equal(asking, 1);
  });
  const gone = await silent();
  gone.stop();
  await during({ relay: `http://127.0.0.1:${gone.port}/` }, (session) => assert.rejects(session.fetch(MODELS), refusedAs('unreachable')));
});

test('each lie about a request is refused by the enclave', async () => {
  await during({}, async (session) => {
    const lies = [(body) => body.subarray(0, 100), (body) => body.subarray(0, -1), (body) => Buffer.from(body.map((byte, index) => (index === 2000 ? byte ^ 1 : byte)))];
    for (const lie of lies) {
      between.up = lie;
      await assert.rejects(session.fetch(MODELS), refusedAs('relay_failed'));
    }
    // Sent a second time, it is not answered a second time.
    between.honest();
    await end(session.fetch(MODELS));
    between.up = () => between.sent.at(-2);
    await assert.rejects(session.fetch(MODELS), refusedAs('relay_failed'));
  });
});

test('a relay that stalls', async () => {
  await during({ deadlines: { firstByte: 300 } }, async (session) => {
    between.instead = () => true;
    await assert.rejects(session.fetch(MODELS), refusedAs('stalled'));
    between.instead = (answer) => { answer.writeHead(200, { 'content-type': 'message/ohttp-chunked-res' }).write('hello'); return true; };
    await assert.rejects(session.fetch(MODELS), refusedAs('stalled'));
    between.instead = (answer) => { answer.writeHead(400, { 'content-type': 'application/problem+json' }).write('{'); return true; };
    await assert.rejects(session.fetch(MODELS), refusedAs('stalled'));
  });
  await during({ deadlines: { idle: 300 } }, async (session) => {
    between.honest();
    between.down = (from, answer) => { from.once('data', (part) => answer.write(part)); };
    await assert.rejects(end(session.fetch(CHAT, ask(long))), refusedAs('stalled'));
  });
});

test('a gateway that has the key no more: fresh evidence, once', async () => {
  let [asking, from] = [0, enclave];
  const evidence = (nonce) => { asking += 1; return bring(at(from), nonce); };
  // It was started again, say: the real answer of a real gateway to a key that it never had, whose identifier is that of its own.
  await during({ evidence }, async (session) => {
    const before = session.verdict;
    [from, between.to] = [other, other.port];
    between.sent.length = 0;
    const answers = await Promise.all([1, 2, 3].map(() => session.fetch(CHAT, ask(chat)).then((it) => it.json())));
    for (const answer of answers) assert.match(answer.choices[0].message.content, /Paris/);
    assert.equal(asking, 2, 'three requests ask for it together');
    assert.equal(between.sent.length, 6);
    assert.notEqual(session.verdict.claims.hpke_key, before.claims.hpke_key);
  });
  // A key that fresh evidence still proves is in use, whatever anybody says: the request is not sent again.
  [asking, from] = [0, enclave];
  between.honest();
  const gone = (answer) => {
    answer.writeHead(400, { 'content-type': 'application/problem+json' }).end('{"type": "https://iana.org/assignments/http-problem-types#ohttp-key"}');
    return true;
  };
  await during({ evidence }, async (session) => {
    between.instead = gone;
    between.sent.length = 0;
    await assert.rejects(session.fetch(MODELS), refusedAs('relay_failed'));
    assert.deepEqual([asking, between.sent.length], [2, 1]);
    // Of the next key as well: evidence is asked for once, and what is sealed is never sent twice.
    from = other;
    await assert.rejects(session.fetch(MODELS), refusedAs('relay_failed'));
    assert.deepEqual([asking, between.sent.length], [3, 3]);
    assert.equal(new Set(between.sent.map((body) => body.toString('hex'))).size, 3);
    // And a lie in the fresh evidence is refused as at first: the request goes nowhere.
    from = { port: 1 };
    await assert.rejects(session.fetch(MODELS), refusedAs('unreachable'));
    assert.equal(between.sent.length, 4);
  });
});

test('an answer ends with the verdict that it rests on', async () => {
  let ahead = 0;
  await during({ clock: () => Date.now() + ahead }, async (session) => {
    const answer = await session.fetch(CHAT, ask(long));
    const reader = answer.body.getReader();
    await reader.read();
    ahead = Date.parse(session.verdict.until) - Date.now() + 2000;
    await assert.rejects(async () => { while (!(await reader.read()).done); }, refusedAs('evidence_expired'));
    await assert.rejects(session.fetch(MODELS), (error) => error.verdict.verdict === 'rejected');
  });
  // Whatever a clock says that is none, nothing is prolonged.
  ahead = 0;
  await during({ clock: () => (ahead === 0 ? Date.now() : NaN) }, async (session) => {
    ahead = 1;
    await assert.rejects(session.fetch(MODELS));
  });
});

// An answer whose rest is held up until `go`.
async function holding(session) {
  let go;
  between.down = held(new Promise((resolve) => { go = resolve; }));
  const answer = await session.fetch(CHAT, ask(story));
  return { text: answer.text(), go };
}

test('an answer outlives its epoch only if the same enclave proves again what it is', async () => {
  let [ahead, asking, from, fails] = [0, 0, enclave, false];
  const evidence = async (nonce) => {
    asking += 1;
    if (fails && asking === 2) throw new Error('the network failed once');
    return bring(at(from), nonce);
  };
  const more = { clock: () => Date.now() + ahead, evidence };
  const over = (session) => { ahead = (session.verdict.claims.epoch_began + session.verdict.claims.epoch_seconds + 16) * 1000 - Date.now(); };
  await during(more, async (session) => {
    const { text, go } = await holding(session);
    over(session);
    await sleep(3000);
    go();
    assert.match(await text, /data: \[DONE\]/);
    assert.ok(asking > 1);
  });
  [ahead, asking] = [0, 0];
  await during(more, async (session) => {
    const { text } = await holding(session);
    from = other;
    over(session);
    await assert.rejects(text, refusedAs('key_changed'));
  });
  [ahead, from] = [0, enclave];
  await during(more, async (session) => {
    const { text } = await holding(session);
    // Of an epoch that nothing follows, twice its time.
    ahead = 3 * session.verdict.claims.epoch_seconds * 1000;
    await assert.rejects(text, refusedAs('epoch_old'));
  });
  [ahead, asking, fails] = [0, 0, true];
  await during(more, async (session) => {
    const { text, go } = await holding(session);
    over(session);
    await sleep(4000);
    go();
    assert.match(await text, /data: \[DONE\]/);
    assert.ok(asking > 2);
  });
});

test('another address than the enclave\'s', async () => {
  await during({}, async (session) => {
    assert.equal(session.baseURL, 'https://enclave.invalid/v1');
    const sent = between.sent.length;
    for (const url of ['https://api.openai.com/v1/models', 'http://enclave.invalid/v1/models', 'https://enclave.invalid:444/', at(enclave), new URL(between.url)]) {
      await assert.rejects(session.fetch(url), refusedAs('other_host'));
    }
    await assert.rejects(session.fetch(new Request('https://api.openai.com/v1/models')), refusedAs('other_host'));
    assert.equal(between.sent.length, sent);
  });
});

test('a request is aborted before and during, and left', async () => {
  await during({}, async (session) => {
    await assert.rejects(session.fetch(CHAT, ask(long, { signal: AbortSignal.abort() })), { name: 'AbortError' });
    const during = new AbortController();
    const reader = (await session.fetch(CHAT, ask(long, { signal: during.signal }))).body.getReader();
    await reader.read();
    during.abort(new Error('enough'));
    await assert.rejects(async () => { while (!(await reader.read()).done); }, { message: 'enough' });
    const before = new AbortController();
    between.instead = () => true;
    setTimeout(() => before.abort(new Error('too slow')), 100);
    await assert.rejects(session.fetch(CHAT, ask(chat, { signal: before.signal })), { message: 'too slow' });
    between.honest();
    await (await session.fetch(CHAT, ask(long))).body.cancel();
    assert.equal((await session.fetch(MODELS)).status, 200);
  });
});

test('a session that was closed', async () => {
  const session = await open();
  const answer = await session.fetch(CHAT, ask(long));
  session.close();
  await assert.rejects(answer.text(), refusedAs('session_closed'));
  await assert.rejects(session.fetch(MODELS), refusedAs('session_closed'));
});

test('a request shows little of its length, and its limit', async () => {
  await during({}, async (session) => {
    between.instead = (answer) => { answer.writeHead(500).end(); return true; };
    const sizes = [];
    for (const length of [10, 3000, 5000, 2 ** 20 - 1000]) {
      await assert.rejects(session.fetch(CHAT, ask('x'.repeat(length))), refusedAs('relay_failed'));
      sizes.push(between.sent.at(-1).length);
    }
    assert.equal(sizes[0], sizes[1]);
    const padded = sizes.map((size) => 2 ** Math.floor(Math.log2(size - 1100)));
    assert.deepEqual(padded, [4096, 4096, 8192, 2 ** 20]);
    const sent = between.sent.length;
    await assert.rejects(session.fetch(CHAT, ask('x'.repeat(2 ** 21))), refusedAs('body_too_large'));
    assert.equal(between.sent.length, sent);
  });
});

test('what brings evidence takes a nonce and nothing else', async () => {
  for (const nonce of ['', 'ab', 'AB'.repeat(32), `${'ab'.repeat(32)}&x=1`, `${'ab'.repeat(31)}\r\n`, undefined]) await assert.rejects(bring(at(enclave), nonce), TypeError);
  await assert.rejects(bring('http://127.0.0.1:1', 'ab'.repeat(32)), TypeError);
  await assert.rejects(bring(at({ port: 1 }), 'ab'.repeat(32)), refusedAs('unreachable'));
  await assert.rejects(bring(at(enclave), 'ab'.repeat(32), { policy: '' }), TypeError);
  const { keys } = await honest('ab'.repeat(32));
  assert.deepEqual(Buffer.from(keys, 'base64'), (await asked(enclave.port, '/v1/ohttp-keys')).body);
});

test('what cannot be asked', async () => {
  const cases = [
    [{ policy: undefined }, TypeError], [{ evidence: undefined }, TypeError], [{ relay: 'relay.example' }, TypeError], [{ relay: 'ftp://relay.example/' }, TypeError],
    [{ relay: 'https://me:secret@relay.example/' }, TypeError], [{ collateral: { without: ['freshness'] } }, TypeError], [{ collateral: () => ({ agreement: 'x' }) }, TypeError],
    [{ deadlines: { connect: 1 } }, TypeError], [{ deadlines: { idle: 0 } }, TypeError], [{ nonce: '00' }, TypeError], [{ policy: 'version = 7' }, NoVerdict],
  ];
  for (const [more, error] of cases) await assert.rejects(open(more), error, JSON.stringify(more));
});
