// The module that seals and opens, which is loaded for this alone.
import { Key, Request as Sealing, initSync } from '../chrysalis_ohttp_browser.js';
import { compiled, packaged } from '../module.js';
import { thrown } from './error.js';

/** What a page asks for is in no one's zone (RFC 6761): a request that went elsewhere than through here would reach nobody. */
export const AUTHORITY = 'enclave.invalid';

let loading;

/** Makes the module ready. */
export function ready() {
  loading ??= packaged(new URL('../chrysalis_ohttp_browser_bg.wasm', import.meta.url)).then((bytes) => initSync({ module: compiled(bytes) }));
  // What failed once may succeed later: the network does.
  loading.catch(() => { loading = undefined; });
  return loading;
}

/** The X-Wing key of these key configurations, if they are those that evidence names by this SHA-256, in hex. */
export function keyOf(configurations, digest) {
  const bytes = Uint8Array.from(String(digest).match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return guarded(() => new Key(configurations, bytes));
}

/** A request sealed for this key: what to send, and what opens the answer. */
export function sealed(key, { method, path, headers, body }) {
  return guarded(() => {
    const request = new Sealing(method, AUTHORITY, path);
    try {
      for (const [name, value] of Object.entries(headers)) request.header(name, value);
      if (body) request.body(body);
      return new Opening(key.seal(request));
    } finally {
      request.free();
    }
  });
}

class Opening {
  #exchange;

  constructor(exchange) {
    this.#exchange = exchange;
    this.sealed = exchange.sealed();
  }

  /** Takes bytes of the answer, or nothing at its end. */
  take(bytes) {
    guarded(() => (bytes ? this.#exchange.push(bytes) : this.#exchange.end()));
  }

  /** Status and headers, once they have come. */
  head() {
    return guarded(() => {
      const status = this.#exchange.status();
      if (status === undefined) return undefined;
      const flat = this.#exchange.headers();
      return { status, headers: flat.flatMap((name, at) => (at % 2 ? [] : [[name, flat[at + 1]]])) };
    });
  }

  /** The next piece of the body, if one has come. */
  piece() {
    return guarded(() => this.#exchange.content());
  }

  /** Forgets the answer's key. */
  free() {
    this.#exchange?.free();
    this.#exchange = undefined;
  }
}

function guarded(work) {
  try {
    return work();
  } catch (error) {
    throw thrown(error);
  }
}
