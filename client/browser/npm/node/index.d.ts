import type { Collateral, File, Verdict } from '../index.js';

export { NoVerdict } from '../index.js';
export { Untrusted } from '../common/error.js';

/** How long to wait, in milliseconds. */
export interface Deadlines {
  /** Finding the host and opening TCP: 10,000. */
  connect?: number;
  /** The TLS handshake: 20,000. */
  handshake?: number;
  /** Asking for evidence, to its last byte: 60,000. */
  evidence?: number;
  /** From a request to the head of its answer: 600,000. A plain (not streamed) answer begins when the model has finished it. */
  firstByte?: number;
  /** Between two pieces of an answer, while its reader waits: 120,000. */
  idle?: number;
}

export interface Options {
  /** The most requests at once, each on a verified connection of its own: 8. More wait for their turn. */
  connections?: number;
  deadlines?: Deadlines;
  /** Gives up on the first connection. */
  signal?: AbortSignal;
  /** Unix milliseconds: `Date.now`. */
  clock?: () => number;
}

/** Verified connections to one enclave. */
export interface Session {
  /**
   * As the global `fetch`, but for this origin alone, and over verified connections. It follows no redirect. Throws {@link Untrusted}; so
   * does reading an answer that is cut short or whose connection's trust has ended. Read every answer to its end, or cancel it: until then
   * it has its connection. It needs no `this`.
   */
  readonly fetch: typeof globalThis.fetch;
  /** The origin with `/v1`. */
  readonly baseURL: string;
  /** The verdict on the connection that was verified last. */
  readonly verdict: Verdict;
  /** Its evidence, to keep: `chrysalis verify FILE` and `verify` repeat every check, offline. */
  readonly saved: Uint8Array;
  /** Ends every connection, and what is under way on it. */
  close(): void;
}

/** Whether this Node can agree on keys as policies want by default (`key_agreement = "post-quantum"`): Node 24 can, with its OpenSSL 3.5. */
export const postQuantum: boolean;

/**
 * Connects to `https://HOST:PORT`, asks for evidence about this very connection, verifies it, and only then returns. Each later connection
 * is verified by itself.
 *
 * `collateral`: what vendors signed, if the enclave's host does not staple it; or a function that gives it for a bundle, called for each
 * connection. Throws {@link Untrusted}, or {@link NoVerdict} where the policy or the collateral cannot be read.
 */
export function connect(
  url: string | URL,
  policy: File,
  collateral?: Collateral | ((bundle: Uint8Array) => Collateral | Promise<Collateral>),
  options?: Options,
): Promise<Session>;

/** What a page needs that talks to the enclave through a relay: `evidence` of `through` in chrysalis-verify/relay takes it as it is. */
export interface Evidence {
  /** The saved session, in base64. */
  session: string;
  /** The enclave's `/v1/ohttp-keys`, in base64. */
  keys: string;
}

/**
 * Asks the enclave at `https://HOST:PORT` for evidence with a page's nonce (64 hex digits), and for its keys, and verifies neither: the page
 * does. Throws `TypeError` if the nonce is none, and {@link Untrusted} where the enclave has nothing to give.
 */
export function evidence(url: string | URL, nonce: string, options?: { deadlines?: Deadlines; signal?: AbortSignal }): Promise<Evidence>;
