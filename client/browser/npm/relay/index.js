// A `fetch` for pages that is sealed end to end: to a key under fresh evidence, through a relay that reads nothing (RFC 9458).
import { bringing, deadlined, known } from '../common/options.js';
import { load } from '../index.js';
import { Enclave } from './enclave.js';
import { ready } from './sealed.js';

export { NoVerdict } from '../index.js';
export { Untrusted } from '../common/error.js';

/** Milliseconds; what they are about says index.d.ts. */
const DEADLINES = { evidence: 60_000, firstByte: 600_000, idle: 120_000 };
const OPTIONS = ['relay', 'evidence', 'policy', 'collateral', 'deadlines', 'signal', 'clock'];

/** Asks for evidence, verifies it, and gives an enclave with a `fetch`. Throws {@link Untrusted} where it is not what the policy wants. */
export async function through(options) {
  known(options, OPTIONS, 'option');
  const { relay, evidence, policy, collateral, deadlines, signal, clock = Date.now } = options;
  if (!policy) throw new TypeError('through() needs a policy, in TOML: what you require of the enclave');
  if (typeof evidence !== 'function') throw new TypeError('`evidence` is a function: it takes a nonce and brings a session and keys');
  const party = {
    relay: address(relay),
    evidence,
    policy,
    collateral: bringing(collateral),
    clock,
    deadlines: deadlined(deadlines, DEADLINES),
  };
  await Promise.all([load(), ready()]);
  return new Enclave(party).begin(signal);
}

function address(relay) {
  const url = new URL(relay);
  if (!['https:', 'http:'].includes(url.protocol) || url.username || url.password) throw new TypeError(`${url.origin} is no address of a relay: write https://HOST/PATH`);
  return url.href;
}
