// What can go wrong through a relay, and what to do next.
import { Untrusted } from '../common/error.js';

export const fault = (code, detail) => new Untrusted(code, detail, HINTS[code]);

/** What the module throws is a code, a colon and a sentence; anything else is its failure. */
export function thrown(error) {
  const [, code, detail] = /^([a-z_]+): (.*)$/s.exec(typeof error === 'string' ? error : '') ?? [];
  return code ? fault(code, detail) : error;
}

// As the command line has them, where it has them.
const HINTS = {
  answer_altered: 'discard what came, and use another relay',
  body_too_large: 'send a shorter request, or one without recordings: nothing longer goes through a relay',
  evidence_expired: 'send the request again: fresh evidence is asked for first',
  incomplete_answer: 'discard what came or treat it as cut short, and ask again',
  key_agreement_weak: 'send nothing: ask the provider what stands in front of the enclave\'s /v1/ohttp-keys',
  key_changed: 'send the request again: it is sealed for the enclave that answers now',
  other_host: 'use the global fetch for that address: this one asks the enclave alone',
  protocol_error: 'check that the enclave and this package are of the same release, and what brings the evidence',
  relay_failed: 'check the relay\'s address, and ask whoever runs it whether it forwards to this enclave\'s /v1/ohttp',
  relay_keys_unproved: 'send nothing: ask whoever brings the evidence for the keys of the same epoch of the same enclave',
  session_closed: 'call through() again',
  stalled: 'try again later; if it keeps stalling, ask whoever runs the relay and whoever brings the evidence',
  unreachable: 'check the relay\'s address, that it is up, and that it answers pages of this origin (CORS)',
};
