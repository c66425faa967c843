// What may stand between a client and an enclave.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const listening = (server) => new Promise((resolve) => { server.listen(0, '127.0.0.1', () => resolve(server)); });

/** Carries bytes as a host does, `to` a port; counts connections, and can hold up or cut what comes from the enclave. */
export async function carrier(to) {
  const here = { connections: 0, live: new Set(), to, down: () => {} };
  const server = await listening(net.createServer((client) => {
    here.connections += 1;
    const enclave = net.connect(here.to, '127.0.0.1');
    const both = { client, enclave, bytes: 0, cut: () => { client.destroy(); enclave.destroy(); } };
    here.live.add(both);
    client.pipe(enclave);
    enclave.on('data', (chunk) => {
      both.bytes += chunk.length;
      if (here.down(both, chunk) !== 'held') client.write(chunk);
    });
    for (const end of [client, enclave]) {
      end.on('error', () => {});
      end.on('close', () => { both.cut(); here.live.delete(both); });
    }
  }));
  here.port = server.address().port;
  here.cut = () => { for (const both of here.live) both.cut(); };
  here.stop = () => { here.cut(); server.close(); };
  return here;
}

/** Ends TLS with a key of its own; `answer(request, response)` does the rest. `heard` has every request. */
export async function impostor(answer, options = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'chrysalis-impostor-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=enclave', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const heard = [];
  const server = await listening(https.createServer({ key: readFileSync(key), cert: readFileSync(cert), ALPNProtocols: ['http/1.1'], ...options }, (request, response) => {
    heard.push(`${request.method} ${request.url.split('?')[0]}`);
    answer(request, response);
  }));
  return { port: server.address().port, heard, stop: () => { server.closeAllConnections(); server.close(); } };
}

/** What the enclave answers to this path. */
export const asked = (port, path) => new Promise((resolve, reject) => {
  https.get({ host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false }, (answer) => {
    const parts = [];
    answer.on('data', (part) => parts.push(part)).on('end', () => resolve({ headers: answer.headers, body: Buffer.concat(parts) })).on('error', reject);
  }).on('error', reject);
});

/** A server without TLS, whose answers `answer` writes, and one message from it. */
export async function plain(answer) {
  const server = await listening(http.createServer(answer));
  const message = await new Promise((resolve, reject) => {
    http.get({ host: '127.0.0.1', port: server.address().port, agent: false }, resolve).on('error', reject);
  });
  return { message, stop: () => { server.closeAllConnections(); server.close(); } };
}

/** Takes connections and says nothing, or closes them at once. */
export async function silent(closes = false) {
  const taken = new Set();
  const server = await listening(net.createServer((client) => {
    client.on('error', () => {});
    taken.add(client);
    if (closes) client.destroy();
  }));
  return { port: server.address().port, stop: () => { for (const client of taken) client.destroy(); server.close(); } };
}

const whole = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
};

/**
 * A relay for pages: it forwards what is sealed `to` a port, and streams the answer back. It can do otherwise: `up` changes a request, `instead`
 * answers in the enclave's place if it says so, and `down` brings the answer. `sent` has every request, `bodies` every answer.
 */
export async function relay(to) {
  const plainly = () => ({ up: (body) => body, instead: () => false, down: (from, answer) => from.pipe(answer) });
  const here = { to, sent: [], bodies: [], honest: () => Object.assign(here, { to, ...plainly() }), ...plainly() };
  const server = await listening(http.createServer(async (question, answer) => {
    // Pages of any origin may ask: it is asked for nothing that is anybody's.
    answer.setHeader('access-control-allow-origin', '*');
    answer.on('error', () => {});
    if (question.method === 'OPTIONS') return answer.writeHead(204, { 'access-control-allow-headers': 'content-type', 'access-control-allow-methods': 'POST' }).end();
    const body = await whole(question).catch(() => undefined);
    if (!body) return undefined;
    here.sent.push(body);
    if (here.instead(answer, here.sent.length)) return undefined;
    const [from, close] = await forward(here.to, question.headers['content-type'], here.up(body));
    from.on('error', () => answer.destroy());
    answer.on('close', close);
    const parts = [];
    from.on('data', (part) => parts.push(part)).on('end', () => here.bodies.push(Buffer.concat(parts)));
    answer.writeHead(from.statusCode, { 'content-type': from.headers['content-type'] });
    return Promise.resolve(here.down(from, answer)).catch(() => answer.destroy());
  }));
  here.url = `http://127.0.0.1:${server.address().port}/enclave`;
  here.stop = () => { server.closeAllConnections(); server.close(); };
  return here;
}

function forward(port, kind, body) {
  return new Promise((resolve, reject) => {
    const request = https.request({ host: '127.0.0.1', port, path: '/v1/ohttp', method: 'POST', headers: { 'content-type': kind, 'content-length': body.length }, rejectUnauthorized: false, agent: false });
    request.on('response', (from) => resolve([from, () => request.destroy()])).on('error', reject).end(body);
  });
}

/** The parts of a sealed answer: its nonce, and each chunk with its length. */
export function chunks(answer) {
  const parts = [answer.subarray(0, 32)];
  for (let at = 32; at < answer.length;) {
    const wide = 1 << (answer[at] >> 6);
    if (at + wide > answer.length) return [...parts, answer.subarray(at)];
    const length = wide === 1 ? answer[at] & 63 : answer.readUIntBE(at, wide) & (2 ** (8 * wide - 2) - 1);
    const end = length === 0 ? answer.length : at + wide + length;
    parts.push(answer.subarray(at, end));
    at = end;
  }
  return parts;
}

/** Brings all of an answer but its final chunk, and that once `more` has come. */
export const held = (more) => async (from, answer) => {
  let [here, written] = [Buffer.alloc(0), 0];
  for await (const part of from) {
    here = Buffer.concat([here, part]);
    const [, ...parts] = chunks(here);
    const end = here.length - (parts.at(-1)?.[0] === 0 ? parts.at(-1).length : 0);
    answer.write(here.subarray(written, end));
    written = end;
  }
  await more;
  answer.end(here.subarray(written));
};
