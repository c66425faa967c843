// A request as `fetch` takes it, as it goes over a connection.
import { Untrusted } from './error.js';

/** Of this hop alone, or not for a caller to say. */
const OURS = ['accept-encoding', 'connection', 'content-length', 'expect', 'host', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'];
/** A JSON body is filled with white space to a power of two, so that its ciphertext shows little of the prompt's length. */
const [FLOOR, MOST] = [4096, 1024 * 1024];
const [FORMS, SPACE, BRACE] = [['/v1/audio/transcriptions', '/v1/tab'], 0x20, 0x7b];

/** What is sent, of what `fetch` was called with. Nothing for another origin than this one. */
export async function request(input, init, origin) {
  const asked = new Request(input, init?.body && typeof init.body.pipeTo === 'function' ? { duplex: 'half', ...init } : init);
  const url = new URL(asked.url);
  if (url.origin !== origin) throw new Untrusted('other_host', `${url.origin} is not ${origin}, which was verified`);
  const headers = Object.fromEntries([...asked.headers].filter(([name]) => !OURS.includes(name)));
  const body = asked.body === null ? undefined : filled(url.pathname, headers, Buffer.from(await asked.arrayBuffer()));
  // The caller's own: a request's signal follows it only as long as the request is not garbage.
  const signal = init?.signal ?? (input instanceof Request ? input.signal : new AbortController().signal);
  return { url: url.href, method: asked.method, path: `${url.pathname}${url.search}`, headers, body, signal };
}

function filled(path, headers, body) {
  const first = body.find((byte) => !' \t\r\n\f'.includes(String.fromCharCode(byte)));
  if (first !== BRACE || FORMS.includes(path) || headers['content-encoding']) return body;
  const length = 2 ** Math.ceil(Math.log2(Math.max(body.length, FLOOR)));
  return length > MOST ? body : Buffer.concat([body, Buffer.alloc(length - body.length, SPACE)]);
}
