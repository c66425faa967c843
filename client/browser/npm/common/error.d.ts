import type { Verdict } from '../index.js';

/** No trusted answer. The message has the code, what happened, and what to do next. */
export class Untrusted extends Error {
  /** Of docs/reference/rejections.md, or the client's: `stalled`, `unreachable`, `incomplete_answer`, `evidence_expired`, … */
  readonly code: string;
  readonly detail: string;
  readonly hint: string;
  /** The whole verdict, where evidence was examined and refused. */
  readonly verdict: Verdict | null;
}
