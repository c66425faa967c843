// The `fetch` for Node, against a real enclave and against what may stand in front of it: by the official SDK, and with every way to be lied
// to, cut off and kept waiting.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import http from 'node:http';
import { createRequire } from 'node:module';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { asked, carrier, impostor, plain, silent } from './middle.mjs';
import { boot, chrysalis } from './enclave.mjs';
import { root } from './questions.mjs';

const npm = process.env.CHRYSALIS_NPM ?? join(root, 'build/npm');
const { NoVerdict, Untrusted, connect, postQuantum } = await import(join(npm, 'node/index.js'));
const { verify } = await import(join(npm, 'index.js'));
const { response } = await import(join(npm, 'node/answer.js'));
const { request } = await import(join(npm, 'node/request.js'));
const { OpenAI } = createRequire(join(process.env.CHRYSALIS_NODE ?? join(root, 'build/node'), '/'))('openai');

const model = 'smollm2-135m-instruct';
const messages = [{ role: 'user', content: 'What is the capital of France? Answer in one word.' }];
const chat = { model, messages, temperature: 0, max_tokens: 16 };
const long = { model, messages: [{ role: 'user', content: 'Write a long story about a caterpillar.' }], temperature: 0, max_tokens: 256, stream: true };
const ask = (body, more) => ({ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), ...more });
const CHAT = '/v1/chat/completions';

let enclave;
let policy;
let between;
before(async () => {
  enclave = await boot();
  // Node before 24 cannot agree on keys as the policy wants by default.
  policy = postQuantum ? enclave.policy : enclave.policy.replace('key_agreement = "post-quantum"', 'key_agreement = "any"');
  between = await carrier(enclave.port);
});
after(async () => {
  between?.stop();
  await enclave?.stop();
});

afterEach(() => { Object.assign(between, { down: () => {}, to: enclave.port }); });

const at = (port) => `https://127.0.0.1:${port}`;
const open = (options, collateral) => connect(at(between.port), policy, collateral, options);
const refusedAs = (code) => (error) => {
  assert.ok(error instanceof Untrusted, `${error.stack}\n${error.cause?.stack}`);
  assert.equal(error.code, code, error.message);
  assert.ok(error.hint.length > 10 && !error.message.includes('undefined'), error.message);
  return true;
};

async function during(options, work, collateral) {
  const session = await open(options, collateral);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}

// Whether all has come of a connection's evidence but its end.
let evidence;
async function almost() {
  evidence ??= await during({}, () => [...between.live].at(-1).bytes);
  return (both) => both.bytes > evidence - 4000;
}

test('the official SDK chats and streams, over one connection that was verified', async () => {
  const before = between.connections;
  await during({}, async (session) => {
    const client = new OpenAI({ baseURL: session.baseURL, apiKey: 'unused', fetch: session.fetch, maxRetries: 0 });
    const whole = await client.chat.completions.create(chat);
    assert.match(whole.choices[0].message.content, /Paris/);
    let streamed = '';
    let pieces = 0;
    for await (const piece of await client.chat.completions.create({ ...chat, stream: true })) {
      streamed += piece.choices[0]?.delta.content ?? '';
      pieces += 1;
    }
    assert.equal(streamed, whole.choices[0].message.content);
    assert.ok(pieces > 3);
    assert.deepEqual((await client.models.list()).data.map((it) => it.id), [model]);
    assert.equal(session.verdict.verdict, 'trusted');
    await assert.rejects(client.chat.completions.create({ ...chat, model: 'another' }), { status: 404 });
  });
  assert.equal(between.connections - before, 1);
});

test('what was verified can be verified again, by the package and by the command line', async () => {
  await during({}, async (session) => {
    const [file, rules] = [join(enclave.state, 'saved.cbor'), join(enclave.state, 'policy.toml')];
    writeFileSync(file, session.saved);
    writeFileSync(rules, policy);
    assert.equal((await verify(session.saved, policy)).verdict, 'trusted');
    assert.equal(JSON.parse(chrysalis('verify', file, '--policy', rules, '--format', 'json')).verdict, 'trusted');
  });
});

test('each connection is verified by itself, and no more are open than were allowed', async () => {
  const before = between.connections;
  let bundles = 0;
  const count = () => { bundles += 1; return {}; };
  await during({ connections: 2 }, async (session) => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => session.fetch(`${session.baseURL}/chat/completions`, ask(chat)).then((it) => it.json())));
    for (const answer of answers) assert.match(answer.choices[0].message.content, /Paris/);
  }, count);
  assert.equal(between.connections - before, 2);
  assert.equal(bundles, 2);
});

test('a program ends by itself though its session is open', () => {
  const script = `const { connect } = await import(${JSON.stringify(join(npm, 'node/index.js'))});
    const session = await connect(${JSON.stringify(at(enclave.port))}, process.env.POLICY);
    console.log((await (await session.fetch(session.baseURL + '/models')).json()).data.length);`;
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], { env: { ...process.env, POLICY: policy }, encoding: 'utf8', timeout: 20_000 });
  assert.equal(said, '1\n');
});

test('a policy that wants something else', async () => {
  const other = policy.replace(/launch_digest = \["../, 'launch_digest = ["00');
  assert.notEqual(other, policy);
  await assert.rejects(connect(at(between.port), other), (error) => {
    assert.equal(error.verdict.verdict, 'rejected');
    return refusedAs('launch_digest_unknown')(error);
  });
});

test('keys that a quantum computer finds, where the policy does not want them', async () => {
  const wants = enclave.policy;
  assert.match(wants, /post-quantum/);
  if (postQuantum) return (await connect(at(between.port), wants)).close();
  return assert.rejects(connect(at(between.port), wants), (error) => {
    assert.match(error.hint, /^use Node 24/);
    return refusedAs('key_agreement_weak')(error);
  });
});

test('somebody in the middle who ends TLS with another key hears no prompt', async () => {
  const middle = await impostor(async (question, answer) => {
    const { headers, body } = await asked(enclave.port, question.url);
    answer.writeHead(200, headers).end(body);
  });
  try {
    await assert.rejects(connect(at(middle.port), policy), refusedAs('binding_mismatch'));
    assert.deepEqual(middle.heard, ['GET /v1/attestation']);
  } finally {
    middle.stop();
  }
});

test('evidence of another connection, replayed', async () => {
  const nonce = 'ab'.repeat(32);
  const { headers, body } = await asked(enclave.port, `/v1/attestation?nonce=${nonce}`);
  const middle = await impostor((_, answer) => answer.writeHead(200, headers).end(body));
  try {
    await assert.rejects(connect(at(middle.port), policy), refusedAs('binding_mismatch'));
    assert.deepEqual(middle.heard, ['GET /v1/attestation']);
  } finally {
    middle.stop();
  }
  // With the enclave's own key: this end knows another exporter than the one that the evidence is about.
  const genuine = tls.TLSSocket.prototype.exportKeyingMaterial;
  tls.TLSSocket.prototype.exportKeyingMaterial = (length) => Buffer.alloc(length, 7);
  try {
    await assert.rejects(open(), refusedAs('binding_mismatch'));
  } finally {
    tls.TLSSocket.prototype.exportKeyingMaterial = genuine;
  }
});

test('evidence about a nonce of before', async () => {
  const genuine = http.request;
  http.request = (options) => genuine({ ...options, path: options.path.replace(/nonce=.*/, `nonce=${'cd'.repeat(32)}`) });
  try {
    await assert.rejects(open(), refusedAs('binding_mismatch'));
  } finally {
    http.request = genuine;
  }
});

test('a peer that is no enclave', async () => {
  const cases = [
    [(_, answer) => answer.writeHead(404).end('{}'), 'protocol_error'],
    [(_, answer) => answer.writeHead(302, { location: 'https://example.com/' }).end(), 'protocol_error'],
    [(_, answer) => answer.writeHead(200, { 'content-type': 'text/html' }).end('hello'), 'protocol_error'],
    [(_, answer) => answer.writeHead(200, { 'content-type': 'application/cmw+cbor' }).end(Buffer.alloc(2 ** 20 + 1)), 'protocol_error'],
    [(_, answer) => answer.writeHead(200, { 'content-type': 'application/cmw+cbor' }).end('hello'), 'bundle_malformed'],
    [(_, answer) => answer.writeHead(429).end('{"error": {"code": "attestation_busy"}}'), 'attestation_busy'],
    [(_, answer) => answer.writeHead(503).end('{"error": {"code": "trust_ended"}}'), 'trust_ended'],
    [(_, answer) => answer.writeHead(503).end('{"error": {"code": "toString"}}'), 'protocol_error'],
    [(_, answer) => answer.socket.end('hello\r\n\r\n'), 'protocol_error'],
    [(_, answer) => { answer.writeHead(200, { 'content-type': 'application/cmw+cbor', 'content-length': 9 }).write('hello'); setTimeout(() => answer.socket.destroy(), 50); }, 'incomplete_answer'],
    [(_, answer) => answer.socket.destroy(), 'incomplete_answer'],
  ];
  for (const [answer, code] of cases) {
    const middle = await impostor(answer);
    await assert.rejects(connect(at(middle.port), policy), refusedAs(code), code);
    middle.stop();
  }
  const old = await impostor((_, answer) => answer.end(), { maxVersion: 'TLSv1.2' });
  await assert.rejects(connect(at(old.port), policy), refusedAs('protocol_error'));
  assert.deepEqual(old.heard, []);
  old.stop();
});

test('a host that cuts the connection', async () => {
  const closing = await silent(true);
  await assert.rejects(connect(at(closing.port), policy), refusedAs('unreachable'));
  closing.stop();
  await assert.rejects(connect(at(closing.port), policy), refusedAs('unreachable'));
  const last = await almost();
  between.down = (both) => {
    if (!last(both)) return undefined;
    both.cut();
    return 'held';
  };
  await assert.rejects(open(), refusedAs('incomplete_answer'));
  between.down = () => {};
  await during({}, async (session) => {
    const answer = await session.fetch(at(between.port) + CHAT, ask(long));
    const reader = answer.body.getReader();
    await reader.read();
    between.cut();
    await assert.rejects(async () => { while (!(await reader.read()).done); }, refusedAs('incomplete_answer'));
    // The next goes over a new one, and so does one after a connection was cut while nobody used it.
    assert.equal((await session.fetch(`${session.baseURL}/models`)).status, 200);
  });
  await during({}, async (session) => {
    between.cut();
    await sleep(100);
    const before = between.connections;
    const answer = await session.fetch(`${session.baseURL}/models`);
    assert.equal((await answer.json()).data[0].id, model);
    assert.equal(between.connections - before, 1);
  });
});

test('a host that cuts every connection once it was verified', async () => {
  let cuts = false;
  const bring = async () => {
    if (cuts) {
      between.cut();
      await sleep(100);
    }
    return {};
  };
  await during({}, async (session) => {
    cuts = true;
    between.cut();
    await sleep(100);
    const before = between.connections;
    await assert.rejects(session.fetch(at(between.port) + CHAT, ask(chat)), refusedAs('connections_cut'));
    assert.equal(between.connections - before, 3);
  }, bring);
});

test('a host that stalls', async () => {
  const mute = await silent();
  await assert.rejects(connect(at(mute.port), policy, {}, { deadlines: { handshake: 200 } }), refusedAs('stalled'));
  mute.stop();
  const last = await almost();
  between.down = (both) => (last(both) ? 'held' : undefined);
  await assert.rejects(open({ deadlines: { evidence: 3000 } }), refusedAs('stalled'));
  between.down = () => {};
  await during({ deadlines: { firstByte: 300 } }, async (session) => {
    between.down = () => 'held';
    await assert.rejects(session.fetch(at(between.port) + CHAT, ask(long)), refusedAs('stalled'));
  });
  between.down = () => {};
  await during({ deadlines: { idle: 400 } }, async (session) => {
    const answer = await session.fetch(at(between.port) + CHAT, ask(long));
    const reader = answer.body.getReader();
    await reader.read();
    between.down = () => 'held';
    await assert.rejects(async () => { while (!(await reader.read()).done); }, refusedAs('stalled'));
  });
});

test('another host than the one that was verified', async () => {
  await during({}, async (session) => {
    for (const url of [at(enclave.port) + CHAT, `http://127.0.0.1:${between.port}${CHAT}`, `https://localhost:${between.port}${CHAT}`, 'https://api.openai.com/v1/models', new URL(at(1))]) {
      await assert.rejects(session.fetch(url, ask(chat)), refusedAs('other_host'));
    }
    await assert.rejects(session.fetch(new Request('https://api.openai.com/v1/models')), refusedAs('other_host'));
    await assert.rejects(session.fetch('/v1/models'), TypeError);
  });
});

test('redirects, and heads that nothing asked for', async () => {
  const about = { url: 'https://a/', method: 'GET', idle: 1000, signal: new AbortController().signal };
  const connection = { isTrusted: true, why: (error) => error, end: () => {} };
  const cases = [[301, 'redirected'], [302, 'redirected'], [307, 'redirected'], [308, 'redirected'], [200, 'protocol_error', { 'content-encoding': 'gzip' }], [600, 'protocol_error']];
  for (const [status, code, more] of cases) {
    const { message, stop } = await plain((_, answer) => answer.writeHead(status, { location: 'https://example.com/', ...more }).end());
    assert.throws(() => response(message, connection, about), refusedAs(code));
    stop();
  }
  const { message, stop } = await plain((_, answer) => answer.writeHead(204, { 'x-a': 'b' }).end());
  const answer = response(message, connection, about);
  assert.deepEqual([answer.status, answer.body, answer.headers.get('x-a'), answer.headers.has('connection'), answer.url], [204, null, 'b', false, about.url]);
  stop();
});

test('a request is aborted before, during and while it waits for its turn', async () => {
  await during({ connections: 1 }, async (session) => {
    const url = at(between.port) + CHAT;
    await assert.rejects(session.fetch(url, ask(long, { signal: AbortSignal.abort() })), { name: 'AbortError' });
    const controller = new AbortController();
    const answer = await session.fetch(url, ask(long, { signal: controller.signal }));
    const reader = answer.body.getReader();
    await reader.read();
    const waiting = new AbortController();
    const second = session.fetch(url, ask(chat, { signal: waiting.signal }));
    const third = session.fetch(`${session.baseURL}/models`);
    waiting.abort();
    await assert.rejects(second, { name: 'AbortError' });
    controller.abort();
    await assert.rejects(async () => { while (!(await reader.read()).done); }, { name: 'AbortError' });
    assert.equal((await (await third).json()).data.length, 1);
    between.down = () => 'held';
    const head = new AbortController();
    setTimeout(() => head.abort(new Error('enough')), 100);
    await assert.rejects(session.fetch(url, ask(chat, { signal: head.signal })), { message: 'enough' });
    between.down = () => {};
    const left = await session.fetch(url, ask(long));
    await left.body.cancel();
    assert.equal((await session.fetch(`${session.baseURL}/models`)).status, 200);
  });
  await assert.rejects(open({ signal: AbortSignal.abort(new Error('never mind')) }), { message: 'never mind' });
  const last = await almost();
  const asking = new AbortController();
  between.down = (both) => {
    if (!last(both)) return undefined;
    asking.abort(new Error('too slow'));
    return 'held';
  };
  await assert.rejects(open({ signal: asking.signal }), { message: 'too slow' });
});

// An answer whose rest is held up until `go`.
async function held(session, url) {
  const queue = [];
  // Short: a slow machine must not come to the end of the next epoch meanwhile.
  const answer = await session.fetch(url, ask({ ...long, max_tokens: 48 }));
  const [line] = between.live;
  between.down = (both, chunk) => { if (both !== line) return undefined; queue.push(chunk); return 'held'; };
  const go = () => {
    between.down = () => {};
    for (const chunk of queue.splice(0)) line.client.write(chunk);
  };
  return { text: answer.text(), go };
}

test('an answer ends with the verdict that it rests on', async () => {
  let ahead = 0;
  await during({ clock: () => Date.now() + ahead }, async (session) => {
    const answer = await session.fetch(at(between.port) + CHAT, ask(long));
    const reader = answer.body.getReader();
    await reader.read();
    ahead = Date.parse(session.verdict.until) - Date.now() + 2000;
    await assert.rejects(async () => { while (!(await reader.read()).done); }, refusedAs('evidence_expired'));
    // The next connection is verified by the same clock, for which everything has expired.
    await assert.rejects(session.fetch(at(between.port) + CHAT, ask(chat)), (error) => error.verdict.verdict === 'rejected');
  });
  // Whatever a clock says that is none, nothing is prolonged.
  ahead = 0;
  await during({ clock: () => (ahead === 0 ? Date.now() : NaN) }, async (session) => {
    ahead = 1;
    await assert.rejects(session.fetch(at(between.port) + CHAT, ask(chat)));
  });
});

test('an answer outlives its epoch only if the enclave proves again what it is', async () => {
  let ahead = 0;
  const url = at(between.port) + CHAT;
  await during({ clock: () => Date.now() + ahead }, async (session) => {
    const { text, go } = await held(session, url);
    const before = between.connections;
    const { epoch_began: began, epoch_seconds: seconds } = session.verdict.claims;
    ahead = (began + seconds + 16) * 1000 - Date.now();
    await sleep(3000);
    go();
    assert.match(await text, /data: \[DONE\]/);
    assert.equal(between.connections - before, 1);
  });
  ahead = 0;
  await during({ clock: () => Date.now() + ahead }, async (session) => {
    const { text } = await held(session, url);
    // Of an epoch that nothing follows, twice its time.
    ahead = 3 * session.verdict.claims.epoch_seconds * 1000;
    await assert.rejects(text, refusedAs('epoch_old'));
  });
  ahead = 0;
  await during({ clock: () => Date.now() + ahead }, async (session) => {
    const before = between.connections;
    ahead = (session.verdict.claims.epoch_seconds + 60) * 1000;
    // Nobody uses it, so it ends, and the next request's is another.
    await sleep(1500);
    assert.equal(between.live.size, 0);
    assert.equal((await session.fetch(`${session.baseURL}/models`)).status, 200);
    assert.equal(between.connections - before, 1);
  });
});

test('an epoch that another key follows', async () => {
  let ahead = 0;
  const other = await boot(enclave.state);
  try {
    await during({ clock: () => Date.now() + ahead }, async (session) => {
      const { text } = await held(session, at(between.port) + CHAT);
      between.to = other.port;
      ahead = (session.verdict.claims.epoch_seconds + 60) * 1000;
      await assert.rejects(text, refusedAs('key_changed'));
      assert.equal((await session.fetch(`${session.baseURL}/models`)).status, 200);
    });
  } finally {
    await other.stop();
  }
});

test('a session that was closed', async () => {
  const session = await open();
  const answer = await session.fetch(at(between.port) + CHAT, ask(long));
  session.close();
  await assert.rejects(answer.text(), refusedAs('session_closed'));
  await assert.rejects(session.fetch(`${session.baseURL}/models`), refusedAs('session_closed'));
});

test('a request shows little of its length, and says nothing of its hop', async () => {
  const origin = 'https://127.0.0.1:1';
  const sent = (path, body, headers = {}) => request(origin + path, { method: 'POST', body, headers }, origin);
  for (const [length, size] of [[2, 4096], [4096, 4096], [4097, 8192], [2 ** 20 - 1, 2 ** 20], [2 ** 20, 2 ** 20], [2 ** 20 + 1, 2 ** 20 + 1]]) {
    const text = `{${' '.repeat(length - 2)}}`;
    const { body } = await sent(CHAT, text);
    assert.equal(body.length, size);
    assert.deepEqual(JSON.parse(body), {});
  }
  assert.equal((await sent(CHAT, 'hello')).body.length, 5);
  assert.equal((await sent('/v1/tab', '{{{')).body.length, 3);
  const form = new FormData();
  form.set('file', new Blob(['{}']), 'a.ogg');
  const recording = await sent('/v1/audio/transcriptions', form);
  assert.match(recording.headers['content-type'], /^multipart\/form-data; boundary=/);
  const stream = await sent(CHAT, new Blob(['{}']).stream());
  assert.equal(stream.body.length, 4096);
  const { headers } = await sent(CHAT, '{}', { host: 'example.com', connection: 'close', 'accept-encoding': 'gzip', expect: '100-continue', 'x-own': '1' });
  assert.deepEqual(Object.keys(headers).sort(), ['content-type', 'x-own']);
});

test('what cannot be asked', async () => {
  const cases = [
    [() => connect('http://127.0.0.1:1', policy), TypeError], [() => connect('https://me:secret@127.0.0.1:1', policy), TypeError],
    [() => connect(at(1)), TypeError], [() => connect(at(1), policy, { without: ['crl'] }), TypeError], [() => connect(at(1), policy, { spki: '00' }), TypeError],
    [() => connect(at(1), policy, {}, { rejectUnauthorized: true }), TypeError], [() => connect(at(1), policy, {}, { connections: 0 }), TypeError],
    [() => connect(at(1), policy, {}, { deadlines: { idle: 0 } }), TypeError], [() => connect(at(1), policy, {}, { deadlines: { read: 1 } }), TypeError],
    [() => open({}, () => ({ without: ['crl'] })), TypeError], [() => connect(at(between.port), 'version = 7'), NoVerdict],
  ];
  for (const [asking, error] of cases) await assert.rejects(asking, error, String(asking));
});
