// Verified connections to one enclave: a few at once, lent to one request at a time.
import { response } from './answer.js';
import { Connection } from './connection.js';
import { Untrusted } from '../common/error.js';
import { request } from './request.js';

/** The most new connections that are verified for one request. */
const MAX_FRESH = 3;
/** The pause before a verification that could not be made is tried once more. */
const RETRY_AFTER = 1000;

export class Session {
  #party; #latest; #renewing; #closed = false;
  #open = new Set();
  #idle = [];
  #waiting = [];
  #busy = 0;

  constructor(party) {
    this.#party = party;
  }

  /** The origin with `/v1`, as OpenAI's clients want it. */
  get baseURL() { return `${this.#party.target.origin}/v1`; }
  /** The verdict on the connection that was verified last. */
  get verdict() { return this.#latest.verdict; }
  /** Its evidence, to keep: `chrysalis verify FILE` and `verify` repeat every check, offline. */
  get saved() { return this.#latest.saved; }

  /** Verifies the first connection. */
  async begin(signal) {
    this.#keep(await this.#fresh(signal));
    return this;
  }

  /** As the global one, but for this origin alone, and over verified connections. */
  fetch = async (input, init) => {
    const asked = await request(input, init, this.#party.target.origin);
    const { url, method, signal } = asked;
    signal.throwIfAborted();
    const release = await this.#turn(signal);
    let lent;
    try {
      const [connection, message] = await this.#send(asked, release);
      lent = connection;
      return response(message, connection, { url, method, idle: this.#party.deadlines.idle, signal });
    } catch (error) {
      lent?.end(error);
      release();
      throw error;
    }
  };

  /** Ends every connection, and what is under way on it. */
  close() {
    this.#closed = true;
    const error = new Untrusted('session_closed', 'the session was closed');
    for (const connection of [...this.#open]) connection.end(error);
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  async #send(asked, release) {
    for (let fresh = 0; fresh < MAX_FRESH;) {
      const kept = this.#kept();
      if (!kept) fresh += 1;
      const connection = kept ?? await this.#fresh(asked.signal);
      try {
        const message = await connection.send(asked, asked.signal);
        connection.onFree = () => { this.#keep(connection); release(); };
        connection.onEnd = () => { this.#forget(connection); release(); };
        // It may have ended, or be free again, before anybody listened.
        if (!this.#open.has(connection)) release();
        return [connection, message];
      } catch (error) {
        connection.end(error);
        if (error.code !== 'connection_closed') throw error;
      }
    }
    throw new Untrusted('connections_cut', `the host closed ${MAX_FRESH} verified connections in a row before the request could be sent`);
  }

  async #fresh(signal) {
    if (this.#closed) throw new Untrusted('session_closed', 'the session was closed');
    const connection = await Connection.prove(this.#party, signal);
    if (this.#closed) connection.end(new Untrusted('session_closed', 'the session was closed'));
    connection.onEnd = () => this.#forget(connection);
    connection.onEpoch = () => this.#renew(connection);
    this.#open.add(connection);
    this.#latest = connection;
    return connection;
  }

  #keep(connection) {
    if (!this.#closed) this.#idle.push(connection);
  }

  #kept() {
    while (this.#idle.length > 0) {
      const connection = this.#idle.pop();
      if (connection.isReady) return connection;
      connection.end(new Untrusted('connection_closed', 'it was not used for long'));
    }
    return undefined;
  }

  #forget(connection) {
    this.#open.delete(connection);
    this.#idle = this.#idle.filter((it) => it !== connection);
  }

  // The epoch of an answer that goes on has run out: the enclave must show the next one, or the answer ends.
  async #renew(connection) {
    this.#renewing ??= this.#again().finally(() => { this.#renewing = undefined; });
    try {
      connection.follow(await this.#renewing);
    } catch (error) {
      connection.end(error);
    }
  }

  async #again() {
    let connection;
    try {
      connection = await this.#fresh();
    } catch (error) {
      // The network may fail once. A refusal, after examining the evidence, is final.
      if (error.verdict) throw error;
      await new Promise((resolve) => { setTimeout(resolve, RETRY_AFTER); });
      connection = await this.#fresh();
    }
    this.#keep(connection);
    return connection;
  }

  // One of the few requests at once; what comes back gives the turn to the next.
  async #turn(signal) {
    if (this.#closed) throw new Untrusted('session_closed', 'the session was closed');
    if (this.#busy < this.#party.connections) this.#busy += 1;
    else await this.#queued(signal);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const next = this.#waiting.shift();
      if (next) next.resolve();
      else this.#busy -= 1;
    };
  }

  #queued(signal) {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting = this.#waiting.filter((it) => it !== place);
        reject(signal.reason);
      };
      const place = {
        resolve: () => { signal.removeEventListener('abort', onAbort); resolve(); },
        reject: (error) => { signal.removeEventListener('abort', onAbort); reject(error); },
      };
      signal.addEventListener('abort', onAbort);
      this.#waiting.push(place);
    });
  }
}
