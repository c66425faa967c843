// A `fetch` for Node whose every connection ends in an enclave that was verified, before the first byte of a request leaves.
import { load } from '../index.js';
import { Session } from './session.js';

export { NoVerdict } from '../index.js';
export { Untrusted } from './error.js';
export { postQuantum } from './channel.js';

/** Milliseconds; what they are about says index.d.ts. */
const DEADLINES = { connect: 10_000, handshake: 20_000, evidence: 60_000, firstByte: 600_000, idle: 120_000 };
const COLLATERAL = ['cert', 'crl', 'collateral', 'rim', 'ocsp', 'ocsp_nonce', 'statement'];
const OPTIONS = ['connections', 'deadlines', 'signal', 'clock'];

/** Connects, verifies, and gives a session with a `fetch`. Throws {@link Untrusted} where the peer is not what the policy wants. */
export async function connect(url, policy, collateral = {}, options = {}) {
  known(options, OPTIONS, 'option');
  known(options.deadlines ?? {}, Object.keys(DEADLINES), 'deadline');
  if (!policy) throw new TypeError('connect() needs a policy, in TOML: what you require of the enclave');
  const { connections = 8, clock = Date.now, deadlines = {} } = options;
  if (!Number.isInteger(connections) || connections < 1) throw new TypeError('`connections` is a whole number, 1 or more');
  for (const [name, limit] of Object.entries(deadlines)) {
    if (!(limit > 0)) throw new TypeError(`the deadline \`${name}\` is a number of milliseconds`);
  }
  if (typeof collateral !== 'function') known(collateral, COLLATERAL, 'collateral');
  const bring = typeof collateral === 'function' ? collateral : () => collateral;
  await load();
  const party = {
    target: target(url),
    policy,
    // Checked here: nothing that somebody brings may change what is asked.
    collateral: async (bundle) => known({ ...await bring(bundle) }, COLLATERAL, 'collateral'),
    connections,
    clock,
    deadlines: { ...DEADLINES, ...deadlines },
  };
  return new Session(party).begin(options.signal);
}

function target(url) {
  const { protocol, hostname, host, port, origin, username, password } = new URL(url);
  if (protocol !== 'https:' || username || password) throw new TypeError(`${origin} is no address of an enclave: write https://HOST:PORT`);
  return { hostname: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 443), host, origin };
}

function known(object, names, what) {
  const other = Object.keys(object).find((name) => !names.includes(name));
  if (other !== undefined) throw new TypeError(`there is no ${what} \`${other}\`; there are ${names.join(', ')}`);
  return object;
}
