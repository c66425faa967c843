// An enclave that a page talks to, by whatever key its latest evidence proves.
import { request } from '../common/request.js';
import { Exchange, KEY_GONE } from './exchange.js';
import { fault } from './error.js';
import { prove } from './proof.js';
import { AUTHORITY } from './sealed.js';

const ORIGIN = `https://${AUTHORITY}`;
/** The pause before evidence that could not be brought is asked for once more, while an answer waits for it. */
const RETRY_AFTER = 1000;

export class Enclave {
  #party; #proof; #renewing; #closing = new AbortController();
  #open = new Set();

  constructor(party) {
    this.#party = party;
  }

  /** The origin with `/v1`, as OpenAI's clients want it. It has no address: only this `fetch` reaches it. */
  get baseURL() { return `${ORIGIN}/v1`; }
  /** The verdict on the evidence that was brought last. */
  get verdict() { return this.#proof.verdict; }
  /** That evidence, to keep: `chrysalis verify FILE` and `verify` repeat every check, offline. */
  get saved() { return this.#proof.saved; }

  /** Asks for the first evidence. */
  async begin(signal) {
    this.#proof = await prove(this.#party, signal);
    return this;
  }

  /** As the global one, but for this enclave alone, and sealed for it. */
  fetch = async (input, init) => {
    const asked = await request(input, init, ORIGIN);
    const proof = await this.#good(asked.signal);
    const answer = await this.#send(asked, proof);
    if (answer !== KEY_GONE) return answer;
    const fresh = await waited(this.#renewed(proof), asked.signal);
    // A key that is still proved is in use. What was said of it is a lie, which might have the request answered twice.
    const again = hpkeKey(fresh) === hpkeKey(proof) ? KEY_GONE : await this.#send(asked, fresh);
    if (again === KEY_GONE) throw fault('relay_failed', 'it said that the enclave does not have a key which fresh evidence proves');
    return again;
  };

  /** Ends every answer that is under way, and takes no request any more. */
  close() {
    this.#closing.abort(fault('session_closed', 'the session was closed'));
    for (const exchange of [...this.#open]) exchange.end(this.#closing.signal.reason);
  }

  async #send(asked, proof) {
    this.#closing.signal.throwIfAborted();
    const exchange = new Exchange(this.#party, asked, proof);
    this.#open.add(exchange);
    exchange.onEnd = () => this.#open.delete(exchange);
    exchange.onEpoch = () => this.#prolong(exchange);
    return exchange.send();
  }

  // What is proved now, or, where that has ended, anew.
  async #good(signal) {
    this.#closing.signal.throwIfAborted();
    signal.throwIfAborted();
    const { term, epoch } = this.#proof;
    if (!term.isOver && !epoch.isOver) return this.#proof;
    return waited(this.#renewed(this.#proof), signal);
  }

  // What is proved in place of this. Who asks for it at the same time gets the same, and no request's end ends that for the others.
  async #renewed(former) {
    if (this.#proof !== former) return this.#proof;
    this.#renewing ??= prove(this.#party, this.#closing.signal).finally(() => { this.#renewing = undefined; });
    this.#proof = await this.#renewing;
    return this.#proof;
  }

  // The epoch of an answer that goes on has run out: the enclave must show the next one, or the answer ends.
  async #prolong(exchange) {
    const former = this.#proof;
    try {
      exchange.follow(await this.#renewed(former).catch(async (error) => {
        // The network may fail once. A refusal, after examining the evidence, is final.
        if (error.verdict) throw error;
        await new Promise((resolve) => { setTimeout(resolve, RETRY_AFTER); });
        return this.#renewed(former);
      }));
    } catch (error) {
      exchange.end(error);
    }
  }
}

const hpkeKey = ({ verdict }) => verdict.claims.hpke_key;

// A promise, as long as nobody aborts waiting for it.
function waited(promise, signal) {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
