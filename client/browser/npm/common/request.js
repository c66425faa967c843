// A request as `fetch` takes it, as it is sent.
import { Untrusted } from './error.js';

/** Of one hop alone, or not for a caller to say. */
const OURS = ['accept-encoding', 'connection', 'content-length', 'expect', 'host', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'];

/** What is sent, of what `fetch` was called with. Nothing for another origin than this one. */
export async function request(input, init, origin) {
  const asked = new Request(input, init?.body && typeof init.body.pipeTo === 'function' ? { duplex: 'half', ...init } : init);
  const url = new URL(asked.url);
  if (url.origin !== origin) throw new Untrusted('other_host', `${url.origin} is not ${origin}, which was verified`);
  const headers = Object.fromEntries([...asked.headers].filter(([name]) => !OURS.includes(name)));
  const body = new Uint8Array(await asked.arrayBuffer());
  // The caller's own: a request's signal follows it only as long as the request is not garbage.
  const signal = init?.signal ?? (input instanceof Request ? input.signal : new AbortController().signal);
  return { url: url.href, method: asked.method, path: `${url.pathname}${url.search}`, headers, body: body.length > 0 ? body : undefined, signal };
}
