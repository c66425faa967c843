/** A file: its bytes, or its text. */
export type File = Uint8Array | ArrayBuffer | string;
/** Bytes, or as many lower-case hex digits as they need. */
export type Hex = Uint8Array | string;
/** What a verification goes without; the verdict lists it as not checked. */
export type Without = 'crl' | 'ocsp' | 'rim' | 'fwid' | 'event-log' | 'freshness' | 'pcrs' | 'session';

/** What vendors signed, and who delivered it does not matter. Everything may be left out; a verdict then says what is missing. */
export interface Collateral {
  /** AMD's certificates, DER or PEM; at most 16. */
  cert?: File[];
  /** AMD's revocation lists, DER or PEM; at most 16. */
  crl?: File[];
  /** What Intel's service says about a platform, in one JSON object. */
  collateral?: File;
  /** NVIDIA's reference manifests, XML or the answer of its service; at most 16. */
  rim?: File[];
  /** OCSP answers, DER; at most 16. */
  ocsp?: File[];
  /** The 32 bytes that the answers were asked with, if you asked. */
  ocsp_nonce?: Hex;
  /** What rebuilders and the publisher signed. */
  statement?: File[];
}

/** How a question is judged. */
export interface Judged {
  /** What you require, in TOML; without it the verdict is `genuine` at best. */
  policy?: File;
  without?: Without[];
  /** AMD product lines that are known to be broken, accepted without a policy: `milan`. */
  accept_broken?: string[];
  /** Makes every check that can be made, and lists everything that is wrong. */
  explain?: boolean;
}

/** Evidence of a conversation. A bare bundle is about no conversation, unless `spki`, `nonce` and `exporter` say which. */
export interface Bundle extends Collateral, Judged {
  /** A saved session, a certificate with evidence, or a bundle: at most 1 MiB. */
  bundle: File;
  spki?: Hex;
  nonce?: Hex;
  exporter?: Hex;
  /** How the connection's keys were agreed, such as `X25519MLKEM768`. */
  agreement?: string;
}

/** The quote of Azure's virtual TPM. */
export interface Tpm {
  tpm_quote?: File;
  tpm_signature?: File;
  tpm_pcrs?: File;
  /** What the virtual TPM was asked. */
  nonce?: Hex;
}

export interface Snp extends Judged, Tpm {
  report: File;
  cert?: File[];
  crl?: File[];
  statement?: File[];
  /** What the guest was asked to put in: up to 64 bytes. */
  report_data?: Hex;
}

export interface Tdx extends Judged, Tpm {
  quote: File;
  collateral: File;
  event_log?: File;
  hcl_report?: File;
  statement?: File[];
  report_data?: Hex;
}

export interface Gpus extends Judged {
  /** The report with its `chain`, or the JSON of NVIDIA's attestation SDK. */
  report: File;
  chain?: File;
  switches?: File;
  /** What the GPUs were asked: 32 bytes. */
  nonce: Hex;
  rim?: File[];
  ocsp?: File[];
  ocsp_nonce?: Hex;
}

export interface Receipt extends Collateral {
  receipt: File;
  policy: File;
  /** The evidence that it names, if it was not packed with it. */
  evidence?: File;
  /** The request's body, to be compared. */
  request?: File;
  /** The answer's body, to be compared. */
  answer?: File;
}

export interface Questions {
  bundle: Bundle;
  snp: Snp;
  tdx: Tdx;
  nvidia: Gpus;
  receipt: Receipt;
}

export interface Check {
  /** The step of docs/spec/verification.md. */
  step: string;
  name: string;
  outcome: 'passed' | 'failed' | 'not_checked';
  detail: string;
}

/** docs/spec/verdict.schema.json describes every field. */
export interface Verdict {
  verdict: 'trusted' | 'genuine' | 'rejected';
  code: string | null;
  detail: string | null;
  hint: string | null;
  simulated: boolean;
  /** When the first thing expires that this rests on, RFC 3339. */
  until: string | null;
  failures: { code: string; step: string; detail: string; hint: string }[];
  checks: Check[];
  claims: Record<string, unknown> | null;
}

export interface ReceiptVerdict {
  verdict: 'verified' | 'rejected';
  code: string | null;
  detail: string | null;
  hint: string | null;
  receipt: Record<string, unknown> | null;
  evidence: Verdict | null;
}

/** Unix seconds, or a date; the present if left out. */
export type Moment = number | Date;

/** There is no verdict: what was handed over cannot be asked about, or this browser cannot run the verifier. The message is a sentence. */
export class NoVerdict extends Error {}

/** The verdict on a saved session, a certificate or a bundle. Throws {@link NoVerdict} where there is none. */
export function verify(bundle: File, policy?: File, collateral?: Omit<Bundle, 'bundle' | 'policy'>, now?: Moment): Promise<Verdict>;
/** The verdict on a report, a quote, GPUs, or a receipt. Throws {@link NoVerdict} where there is none. */
export function verifyAlone(kind: 'snp', question: Snp, now?: Moment): Promise<Verdict>;
export function verifyAlone(kind: 'tdx', question: Tdx, now?: Moment): Promise<Verdict>;
export function verifyAlone(kind: 'nvidia', question: Gpus, now?: Moment): Promise<Verdict>;
export function verifyAlone(kind: 'receipt', question: Receipt, now?: Moment): Promise<ReceiptVerdict>;
/** What the command line prints for the same files, byte for byte but for the end of the line. */
export function ask<K extends keyof Questions>(kind: K, question: Questions[K], now?: Moment): Promise<string>;
/** What a file looks like: in words, the kind of question that begins with it, and its name in a question. */
export function recognise(bytes: Uint8Array | ArrayBuffer): Promise<{ is: string; kind: keyof Questions | null; name: string | null }>;
/** Makes the module ready. Every function does so by itself; give its bytes if they are not to be read from beside this file. */
export function load(source?: Uint8Array): Promise<void>;
