// One request through the relay and the answer to it, which is whole or ends in an error that says it is not.
import { answered, isBodiless } from '../common/answer.js';
import { fault } from './error.js';
import { sealed } from './sealed.js';

const [REQUEST, ANSWER] = ['message/ohttp-chunked-req', 'message/ohttp-chunked-res'];
/** What a gateway says of a key that it does not have (RFC 9458 §5.3), and of one whose identifier another key has. */
const [KEY_PROBLEM, OTHER_KEY] = ['#ohttp-key', 'encapsulation_altered'];
/** The enclave reads no longer one: 2 MiB and 64 KiB. */
const [MAX_SEALED, MAX_PROBLEM] = [2 * 1024 * 1024 + 64 * 1024, 16 * 1024];
const WHOLE = ['arrayBuffer', 'blob', 'bytes', 'formData', 'json', 'text'];
/** How often both clocks are read: a timer alone would not notice that the clock was set, or that the machine slept. */
const LOOK_EVERY = 1000;
// The page's own, even if the page puts ours in its place.
const post = globalThis.fetch;

/** The gateway says that it does not have the key, and so opened nothing. Anybody in between can say so. */
export const KEY_GONE = Symbol('the key is not in use');

export class Exchange {
  #party; #asked; #proof; #epoch; #opening; #reader; #failure; #look; #timer; #ended = false;
  #line = new AbortController();
  /** Called once it has ended, and when its epoch has run out while an answer is under way. */
  onEnd = () => {};
  onEpoch = () => {};

  constructor(party, asked, proof) {
    this.#party = party;
    this.#asked = asked;
    this.#proof = proof;
    this.#epoch = proof.epoch;
    this.#look = setInterval(() => this.#watch(), LOOK_EVERY);
    // Node's, which would not end by itself.
    this.#look.unref?.();
    asked.signal.addEventListener('abort', this.#onAbort);
  }

  /** Seals the request, sends it, and waits for the head of its answer; or {@link KEY_GONE}. */
  async send() {
    const { firstByte } = this.#party.deadlines;
    try {
      this.#asked.signal.throwIfAborted();
      this.#opening = sealed(this.#proof.key, this.#asked);
      if (this.#opening.sealed.length > MAX_SEALED) throw fault('body_too_large', `the request has ${this.#opening.sealed.length} bytes when it is sealed, and at most ${MAX_SEALED} are read`);
      this.#wait('first byte of the answer', firstByte);
      const answer = await this.#posted();
      this.#reader = answer.body?.getReader();
      if (await this.#isGone(answer)) return this.#over(KEY_GONE);
      let head;
      while (!(head = this.#opening.head())) await this.#read();
      clearTimeout(this.#timer);
      head = { ...head, url: this.#asked.url, method: this.#asked.method };
      const response = this.#named(answered(head, () => this.#stream()));
      if (isBodiless(head)) {
        while (await this.#piece()) { /* it means nothing */ }
        this.#over();
      }
      return response;
    } catch (error) {
      throw this.end(error);
    }
  }

  /** Ends it, and the answer that is under way with this error; gives the error that it ended with. */
  end(error) {
    this.#failure ??= error;
    this.#over();
    return this.#failure;
  }

  /** Goes on for as long as the epoch of this proof, if that is of the same enclave. */
  follow(later) {
    const [before, after] = [this.#proof.spki, later.spki];
    if (before.length !== after.length || before.some((byte, at) => byte !== after[at])) {
      return this.end(fault('key_changed', 'the evidence of the next epoch is another enclave\'s, or it was started again'));
    }
    this.#epoch = later.epoch;
    return undefined;
  }

  #onAbort = () => this.end(this.#asked.signal.reason);

  #over(outcome) {
    if (this.#ended) return outcome;
    this.#ended = true;
    clearTimeout(this.#timer);
    clearInterval(this.#look);
    this.#asked.signal.removeEventListener('abort', this.#onAbort);
    this.#line.abort();
    this.#opening?.free();
    this.onEnd();
    return outcome;
  }

  async #posted() {
    try {
      // Nothing that would tell the relay more than the request itself, and nothing that it could send elsewhere.
      return await post(this.#party.relay, {
        method: 'POST', headers: { 'content-type': REQUEST }, body: this.#opening.sealed, signal: this.#line.signal,
        mode: 'cors', credentials: 'omit', cache: 'no-store', redirect: 'manual', referrerPolicy: 'no-referrer',
      });
    } catch (error) {
      throw fault('unreachable', `${new URL(this.#party.relay).origin} cannot be reached: ${error.cause?.message ?? error.message}`);
    }
  }

  async #isGone({ status, headers }) {
    const kind = headers.get('content-type') ?? '';
    if (status === 200 && kind.startsWith(ANSWER) && this.#reader) return false;
    if (status === 400 && this.#reader && await this.#isAboutKey()) return true;
    throw fault('relay_failed', `it answered ${status || 'with a redirect'}, and nothing of the enclave's`);
  }

  async #isAboutKey() {
    let text = '';
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await this.#arrived();
      if (done) break;
      text += decoder.decode(value, { stream: true });
      if (text.length > MAX_PROBLEM) return false;
    }
    try {
      const { type, error } = JSON.parse(text);
      return String(type).endsWith(KEY_PROBLEM) || error?.code === OTHER_KEY;
    } catch {
      return false;
    }
  }

  async #arrived() {
    try {
      return await this.#reader.read();
    } catch {
      throw fault('incomplete_answer', 'the connection to the relay ended before the answer was complete');
    }
  }

  // Opens what arrives next.
  async #read() {
    const { done, value } = await this.#arrived();
    if (this.#failure) throw this.#failure;
    this.#opening.take(done ? undefined : value);
    if (done) this.#reader = undefined;
  }

  // The next piece of the body; nothing once all has come.
  async #piece() {
    for (;;) {
      if (this.#failure) throw this.#failure;
      if (this.#proof.term.isOver) throw this.#expired();
      const piece = this.#opening.piece();
      if (piece || !this.#reader) return piece;
      await this.#read();
    }
  }

  #stream() {
    return new ReadableStream({
      pull: async (controller) => {
        const { idle } = this.#party.deadlines;
        try {
          this.#wait('next piece of the answer', idle);
          const piece = await this.#piece();
          clearTimeout(this.#timer);
          if (piece) return controller.enqueue(piece);
          this.#over();
          return controller.close();
        } catch (error) {
          return controller.error(this.end(error));
        }
      },
      cancel: () => { this.#over(); },
    }, { highWaterMark: 0 });
  }

  // Chromium says `Failed to fetch` where a body ends in an error: what reads it whole must say which.
  #named(response) {
    for (const name of WHOLE.filter((it) => it in response)) {
      const value = () => Response.prototype[name].call(response).catch((error) => { throw this.#failure ?? error; });
      Object.defineProperty(response, name, { value });
    }
    return response;
  }

  #wait(what, limit) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.end(fault('stalled', `the relay stalled: no ${what} within ${limit / 1000} s`)), limit);
  }

  #expired() {
    return fault('evidence_expired', `the evidence was good until ${this.#proof.verdict.until}, which is past`);
  }

  #watch() {
    if (this.#proof.term.isOver) this.end(this.#expired());
    else if (this.#epoch.isOver) this.onEpoch();
  }
}
