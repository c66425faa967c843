// A `fetch` for Node whose every connection ends in an enclave that was verified, before the first byte of a request leaves.
import { bringing, deadlined, known } from '../common/options.js';
import { load } from '../index.js';
import { Connection } from './connection.js';
import { Session } from './session.js';

export { NoVerdict } from '../index.js';
export { Untrusted } from '../common/error.js';
export { postQuantum } from './channel.js';

/** Milliseconds; what they are about says index.d.ts. */
const DEADLINES = { connect: 10_000, handshake: 20_000, evidence: 60_000, firstByte: 600_000, idle: 120_000 };
const OPTIONS = ['connections', 'deadlines', 'signal', 'clock'];

/** Connects, verifies, and gives a session with a `fetch`. Throws {@link Untrusted} where the peer is not what the policy wants. */
export async function connect(url, policy, collateral = {}, options = {}) {
  known(options, OPTIONS, 'option');
  if (!policy) throw new TypeError('connect() needs a policy, in TOML: what you require of the enclave');
  const { connections = 8, clock = Date.now } = options;
  if (!Number.isInteger(connections) || connections < 1) throw new TypeError('`connections` is a whole number, 1 or more');
  const party = {
    target: target(url),
    policy,
    collateral: bringing(collateral),
    connections,
    clock,
    deadlines: deadlined(options.deadlines, DEADLINES),
  };
  await load();
  return new Session(party).begin(options.signal);
}

/** Brings what a page needs of an enclave: evidence with its nonce, and keys. Nothing is verified: the page does that. */
export async function evidence(url, nonce, options = {}) {
  known(options, ['deadlines', 'signal'], 'option');
  // It comes from a page, and becomes a part of what is asked.
  if (!/^[0-9a-f]{64}$/.test(nonce)) throw new TypeError('a nonce is 32 bytes, written as 64 lower-case hex digits');
  const party = { target: target(url), deadlines: deadlined(options.deadlines, DEADLINES) };
  const { session, keys } = await Connection.show(party, Buffer.from(nonce, 'hex'), options.signal);
  return { session: Buffer.from(session).toString('base64'), keys: keys.toString('base64') };
}

function target(url) {
  const { protocol, hostname, host, port, origin, username, password } = new URL(url);
  if (protocol !== 'https:' || username || password) throw new TypeError(`${origin} is no address of an enclave: write https://HOST:PORT`);
  return { hostname: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 443), host, origin };
}
