/** No trusted answer: why, by a code of docs/reference/rejections.md or one of the client's below, and what to do next. */
export class Untrusted extends Error {
  name = 'Untrusted';

  constructor(code, detail, hint = HINTS[code], verdict = null) {
    super(`${code}: ${detail.replace(/\s+/g, ' ')}\nhint: ${hint}`);
    Object.assign(this, { code, detail, hint });
    // Not among what is printed where nobody catches it: it has every check.
    Object.defineProperty(this, 'verdict', { value: verdict });
  }
}

/** A verdict that is not `trusted`; `isModern`: this Node can agree on keys that a quantum computer does not find. */
export function refused(verdict, isModern) {
  const ours = verdict.code === 'key_agreement_weak' && !isModern;
  const hint = ours ? 'use Node 24 or newer, or set session.key_agreement = "any" in your policy' : verdict.hint;
  return new Untrusted(verdict.code ?? 'protocol_error', verdict.detail ?? `the verdict is ${verdict.verdict}`, hint ?? undefined, verdict);
}

export const stalled = (what, after) => new Untrusted('stalled', `the host stalled: no ${what} within ${after / 1000} s`);
export const incomplete = (what) => new Untrusted('incomplete_answer', `the connection ended before the ${what} was complete`);
export const misspoke = (why) => new Untrusted('protocol_error', `the peer does not behave like an enclave: ${why}`);

// As the command line has them.
const HINTS = {
  evidence_expired: 'send the request again: it goes over a new connection, which is verified by itself',
  key_changed: 'send the request again; the next connection is verified from scratch',
  unreachable: 'check the address, and check that `chrysalis-host run` says it is listening there',
  stalled: 'try again later; if it keeps stalling, ask the provider what `chrysalis-host` logs',
  connection_closed: 'connect again and resend the request',
  connections_cut: 'the request did not leave this machine: ask the provider what closes connections in front of the enclave, and what `chrysalis-host` logs',
  incomplete_answer: 'discard what came or treat it as cut short, and ask again',
  protocol_error: 'check that the address is that of a chrysalis host, and that both sides run the same release',
  attestation_busy: 'connect again in a few seconds',
  trust_ended: 'use another machine, or ask the provider what `chrysalis-host` logs and to start this one again',
  other_host: 'call connect() for that host, with a policy of its own',
  redirected: 'nothing was sent there: ask the provider what answers in front of the enclave',
  session_closed: 'call connect() again',
};
