import type { Collateral, File, Verdict } from '../index.js';

export { NoVerdict } from '../index.js';
export { Untrusted } from '../common/error.js';

/** Bytes, or base64 of them. */
export type Bytes = Uint8Array | ArrayBuffer | string;

/** What somebody brings of an enclave, and is trusted with nothing for it: `evidence` of chrysalis-verify/node does. */
export interface Brought {
  /** The saved session of a conversation that was asked with the page's nonce: at most 1 MiB. */
  session: Bytes;
  /** The enclave's `/v1/ohttp-keys` of that moment, byte for byte: at most 64 KiB. */
  keys: Bytes;
}

/** How long to wait, in milliseconds. */
export interface Deadlines {
  /** For evidence: 60,000. */
  evidence?: number;
  /** From a request to the head of its answer: 600,000. A plain (not streamed) answer begins when the model has finished it. */
  firstByte?: number;
  /** Between two pieces of an answer, while its reader waits: 120,000. */
  idle?: number;
}

export interface Options {
  /** Where a relay takes requests for this enclave: any that follows RFC 9458, and answers pages of this origin (CORS). */
  relay: string | URL;
  /** Brings evidence for a nonce, 64 hex digits. Called for the first, and again whenever that has ended. `signal`: nobody waits any more. */
  evidence: (nonce: string, signal: AbortSignal) => Brought | Promise<Brought>;
  /** What you require of the enclave, in TOML. */
  policy: File;
  /** What vendors signed, if the enclave's host does not staple it; or a function that gives it for a bundle. */
  collateral?: Collateral | ((bundle: Uint8Array) => Collateral | Promise<Collateral>);
  deadlines?: Deadlines;
  /** Gives up on the first evidence. */
  signal?: AbortSignal;
  /** Unix milliseconds: `Date.now`. */
  clock?: () => number;
}

/** An enclave under evidence. */
export interface Enclave {
  /**
   * As the global `fetch`, but for `baseURL` alone. Each request is sealed for the enclave's key and goes through the relay; the answer is
   * opened as it streams in. It follows no redirect. Throws {@link Untrusted}; so does reading an answer that is cut short, altered, or
   * whose trust has ended. It needs no `this`.
   */
  readonly fetch: typeof globalThis.fetch;
  /** `https://enclave.invalid/v1`: no address, so that whatever else asks for it reaches nobody. */
  readonly baseURL: string;
  /** The verdict on the evidence that was brought last. */
  readonly verdict: Verdict;
  /** That evidence, to keep: `chrysalis verify FILE` and `verify` repeat every check, offline. */
  readonly saved: Uint8Array;
  /** Ends every answer that is under way; no request is taken any more. */
  close(): void;
}

/**
 * Draws a nonce, has evidence brought for it, verifies that by the policy, and only then returns. It takes an X-Wing key whose digest the
 * evidence covers, and nothing else. When the evidence or its epoch ends, or the gateway says that the key is not in use, evidence is asked
 * for anew, once for a request.
 *
 * Throws {@link Untrusted}, or {@link NoVerdict} where the policy or the collateral cannot be read, or what `evidence` throws.
 */
export function through(options: Options): Promise<Enclave>;
