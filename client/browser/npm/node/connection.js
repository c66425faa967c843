// A connection that proves itself first: until its evidence was verified, nothing leaves over it but the question for that evidence.
import http from 'node:http';
import { verify } from '../index.js';
import { Only, binding, open, postQuantum } from './channel.js';
import { Untrusted, incomplete, misspoke, refused, stalled } from '../common/error.js';
import { encode } from '../common/saved.js';
import { Term, end, endOfEpoch, moment } from '../common/term.js';

const [ATTESTATION, EVIDENCE_TYPE] = ['/v1/attestation', 'application/cmw+cbor'];
const [KEYS, KEYS_TYPE] = ['/v1/ohttp-keys', 'application/ohttp-keys'];
const [MAX_BUNDLE, MAX_KEYS, MAX_ERROR, MAX_HEAD] = [1024 * 1024, 64 * 1024, 16 * 1024, 64 * 1024];
/** The enclave closes a connection after five minutes without a request; the rest is for one that is on its way. */
const RETIRED = 240_000;
/** How often both clocks are read: a timer alone would not notice that the clock was set, or that the machine slept. */
const LOOK_EVERY = 1000;
/** What a peer may say in place of evidence. */
const DECLINED = { attestation_busy: 'too many ask at the moment', trust_ended: 'it could not prove again what it is, has destroyed its keys and ends' };

export class Connection {
  #party; #socket; #agent; #trusted; #failure; #look; #idleSince = null;
  /** Called when an answer has come whole, when it has ended, and when its epoch has run out while an answer is under way. */
  onFree = () => {};
  onEnd = () => {};
  onEpoch = () => {};

  /** Opens one, asks for evidence about this very connection, verifies it, and only then returns it. */
  static prove(party, signal) {
    return Connection.#opened(party, signal, async (connection) => {
      await connection.#prove();
      return connection;
    });
  }

  /** Evidence about a connection of its own with somebody else's nonce, as a saved session, and the keys for relays. Nothing is verified. */
  static show(party, nonce, signal) {
    return Connection.#opened(party, signal, async (connection) => {
      const conversation = { ...binding(connection.#socket), nonce };
      const bundle = await connection.#evidence(nonce);
      const keys = await connection.#given('keys', { path: KEYS, type: KEYS_TYPE, most: MAX_KEYS });
      connection.end(new Untrusted('connection_closed', 'it has shown what it was asked for'));
      return { session: encode({ ...conversation, bundle }), keys };
    });
  }

  static async #opened(party, signal, work) {
    const socket = await open(party.target, party.deadlines, signal);
    const connection = new Connection(party, socket);
    const onAbort = () => connection.end(signal.reason);
    signal?.addEventListener('abort', onAbort);
    try {
      const done = await work(connection);
      signal?.throwIfAborted();
      return done;
    } catch (error) {
      connection.end(error);
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  constructor(party, socket) {
    this.#party = party;
    this.#socket = socket;
    this.#agent = new Only(socket);
    this.#agent.on('free', () => {
      this.#idleSince = performance.now();
      if (this.#trusted) this.onFree();
    });
    socket.once('close', () => {
      clearInterval(this.#look);
      this.onEnd();
    });
  }

  async #prove() {
    const { policy, collateral, clock } = this.#party;
    const conversation = binding(this.#socket);
    const bundle = await this.#evidence(conversation.nonce);
    const brought = await collateral(bundle);
    const since = moment(clock);
    const verdict = await verify(bundle, policy, { ...brought, ...conversation }, since.now / 1000);
    if (verdict.verdict !== 'trusted') throw refused(verdict, postQuantum);
    const term = new Term(clock, since, end(verdict));
    const epoch = new Term(clock, since, endOfEpoch(verdict.claims, since.now));
    this.#trusted = { verdict, term, epoch, spki: conversation.spki, saved: encode({ ...conversation, bundle }) };
    this.#check();
    this.#look = setInterval(() => this.#watch(), LOOK_EVERY).unref();
  }

  #evidence(nonce) {
    return this.#given('evidence', { path: `${ATTESTATION}?nonce=${nonce.toString('hex')}`, type: EVIDENCE_TYPE, most: MAX_BUNDLE });
  }

  // What the peer gives to anybody, before it is trusted.
  async #given(what, { path, type, most }) {
    const limit = this.#party.deadlines.evidence;
    const late = setTimeout(() => this.end(stalled(what, limit)), limit);
    try {
      const answer = await this.#ask({ method: 'GET', path, headers: {} }, what, limit);
      if (answer.statusCode !== 200) throw await this.#declined(answer, what);
      if (answer.headers['content-type'] !== type) throw misspoke(`asked for ${what}, it answered with something other than ${type}`);
      return await this.#whole(answer, what, most);
    } finally {
      clearTimeout(late);
    }
  }

  async #declined(answer, what) {
    const said = await this.#whole(answer, what, MAX_ERROR).catch(() => Buffer.alloc(0));
    let code;
    try {
      code = JSON.parse(said).error.code;
    } catch {
      // Then it says nothing that an enclave says.
    }
    if (!Object.hasOwn(DECLINED, code)) return misspoke(`asked for ${what}, it answered ${answer.statusCode}`);
    return new Untrusted(code, `asked for ${what}, it answered that ${DECLINED[code]}`);
  }

  async #whole(answer, what, most) {
    const [parts, length] = [[], { of: 0 }];
    try {
      for await (const part of answer) {
        length.of += part.length;
        if (length.of > most) throw misspoke(`asked for ${what}, it answered with more than ${most} bytes`);
        parts.push(part);
      }
    } catch (error) {
      throw this.why(error, what);
    }
    return Buffer.concat(parts);
  }

  get verdict() { return this.#trusted.verdict; }
  get saved() { return this.#trusted.saved; }

  /** Whether it can take a request now. */
  get isReady() {
    const { term, epoch } = this.#trusted;
    const retired = this.#idleSince === null || performance.now() - this.#idleSince > RETIRED;
    return !this.#failure && !this.#socket.destroyed && !retired && !term.isOver && !epoch.isOver;
  }

  /** Sends a request and waits for the head of its answer. `connection_closed` says that not a byte was sent. */
  async send(request, signal) {
    this.#check();
    return this.#ask(request, 'answer', this.#party.deadlines.firstByte, signal);
  }

  /** Ends it, and the answer that is under way with this error. */
  end(error) {
    this.#failure ??= error;
    clearInterval(this.#look);
    this.#socket.destroy();
  }

  /** What became of an answer, since something ended it. */
  why(error, what) {
    if (this.#failure) return this.#failure;
    if (error instanceof Untrusted) return error;
    if (String(error?.code).startsWith('HPE_')) return misspoke(`what it sends is not HTTP: ${error.reason ?? error.message}`);
    return incomplete(what);
  }

  /** Whether more of an answer may be handed out. */
  get isTrusted() {
    if (this.#trusted?.term.isOver) this.end(this.#expired());
    return !this.#failure && this.#trusted !== undefined;
  }

  /** Goes on for as long as the epoch of this one, if that is a later connection to the same enclave. */
  follow(later) {
    if (!this.#trusted.spki.equals(later.#trusted.spki)) {
      return this.end(new Untrusted('key_changed', 'the enclave behind the address has a different key from the one verified before'));
    }
    this.#trusted.epoch = later.#trusted.epoch;
  }

  #check() {
    if (!this.isTrusted) throw this.#failure ?? misspoke('it has not been verified');
  }

  #expired() {
    return new Untrusted('evidence_expired', `the evidence was good until ${this.#trusted.verdict.until}, which is past`);
  }

  #watch() {
    if (!this.isTrusted || !this.#trusted.epoch.isOver) return;
    if (this.#idleSince === null) this.onEpoch();
    else this.end(new Untrusted('connection_closed', 'its epoch has run out'));
  }

  #ask({ method, path, headers, body }, what, limit, signal) {
    return new Promise((resolve, reject) => {
      const head = { ...headers, host: this.#party.target.host };
      const request = http.request({ agent: this.#agent, method, path, headers: head, setHost: false, maxHeaderSize: MAX_HEAD, insecureHTTPParser: false });
      const onAbort = () => this.end(signal.reason);
      const timer = setTimeout(() => this.end(stalled(what === 'answer' ? 'first byte of the answer' : what, limit)), limit);
      const settled = (settle) => (value) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        settle(value);
      };
      request.once('response', settled(resolve));
      request.once('close', settled(() => reject(this.why(null, what))));
      request.on('error', settled((error) => reject(this.why(error, what))));
      signal?.addEventListener('abort', onAbort);
      if (signal?.aborted) onAbort();
      this.#idleSince = null;
      request.end(body);
    });
  }
}
