// Why a page may seal something for a key: an enclave's evidence about a nonce that the page drew, and which covers the digest of its keys.
// Whoever brings it is trusted with nothing.
import { refused } from '../common/error.js';
import { decode, encode } from '../common/saved.js';
import { Term, end, endOfEpoch, moment } from '../common/term.js';
import { verify } from '../index.js';
import { fault } from './error.js';
import { keyOf } from './sealed.js';

/** More bytes than a saved session and than key configurations have. */
const [MAX_SESSION, MAX_KEYS] = [1024 * 1024 + 16 * 1024, 64 * 1024];

/** Asks for evidence and verifies it: the key that it proves, and for how long it does. */
export async function prove(party, signal) {
  // Before the nonce is known to anybody: whoever holds evidence back shortens its term.
  const since = moment(party.clock);
  const nonce = crypto.getRandomValues(new Uint8Array(32));
  const { session, keys } = await brought(party, hex(nonce), signal);
  const { spki, exporter, bundle } = session;
  // The nonce is ours, whatever the session says. Whose connection it was is of no matter: nothing goes over that one, and the keys of what
  // the page sends are agreed by X-Wing, or it does not send.
  const conversation = { spki, nonce, exporter, agreement: 'X-Wing' };
  const collateral = await party.collateral(bundle);
  const verdict = await verify(bundle, party.policy, { ...collateral, ...conversation }, party.clock() / 1000);
  if (verdict.verdict !== 'trusted') throw refused(verdict, true);
  return {
    key: keyOf(keys, verdict.claims.hpke_key),
    verdict,
    spki,
    saved: encode({ ...conversation, bundle }),
    term: new Term(party.clock, since, end(verdict)),
    epoch: new Term(party.clock, since, endOfEpoch(verdict.claims, since.now)),
  };
}

async function brought({ evidence, deadlines }, nonce, signal) {
  const asking = new AbortController();
  const given = new Promise((_, reject) => {
    const late = setTimeout(() => reject(fault('stalled', `nobody brought evidence within ${deadlines.evidence / 1000} s`)), deadlines.evidence);
    const onAbort = () => reject(signal.reason);
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted) onAbort();
    asking.signal.addEventListener('abort', () => {
      clearTimeout(late);
      signal?.removeEventListener('abort', onAbort);
    });
  });
  try {
    const found = await Promise.race([given, evidence(nonce, asking.signal)]);
    const session = decode(bytes(found?.session, 'session', MAX_SESSION));
    if (!session) throw fault('protocol_error', 'the session that was brought is none, or is not written as `evidence` of chrysalis-verify/node writes it');
    return { session, keys: bytes(found.keys, 'keys', MAX_KEYS) };
  } finally {
    asking.abort();
  }
}

function bytes(value, name, most) {
  const length = typeof value === 'string' ? value.length * 0.75 : value?.byteLength;
  if (!(length <= most)) throw fault('protocol_error', `\`${name}\` is to be at most ${most} bytes, or base64 of them`);
  if (typeof value !== 'string') return new Uint8Array(value.buffer ?? value, value.byteOffset ?? 0, value.byteLength);
  try {
    return Uint8Array.from(atob(value), (letter) => letter.charCodeAt(0));
  } catch {
    throw fault('protocol_error', `\`${name}\` is not base64`);
  }
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
