// The term of a verdict: until a moment by the wall clock, or for the time that was left then by a stopwatch, whichever ends first: neither
// a clock that is set back nor a machine that slept prolongs it.

/** This moment by both: the stopwatch first, so that what passes between the two readings shortens a term. */
export const moment = (clock) => ({ elapsed: performance.now(), now: clock() });

export class Term {
  #clock; #until; #deadline;

  /** From `since`, a moment, to `until`: Unix milliseconds, as `clock` tells them. */
  constructor(clock, since, until) {
    this.#clock = clock;
    this.#until = until;
    this.#deadline = since.elapsed + Math.max(0, until - since.now);
  }

  get isOver() {
    // Not `>=`: a clock that says nothing must end it, too.
    return !(this.#clock() <= this.#until && performance.now() <= this.#deadline);
  }
}

/** When the verdict ends: the first thing that it rests on. `null` never does. */
export function end(verdict) {
  if (verdict.until === null) return Infinity;
  const until = Date.parse(verdict.until);
  return Number.isNaN(until) ? 0 : until;
}

/** An enclave asks everything anew before its next epoch begins, which takes a while. */
const ASKING = 15_000;

/** When the epoch has run out that these claims tell of: a whole one after `now` at most, whatever the enclave's clock says. */
export function endOfEpoch({ epoch_began: began, epoch_seconds: seconds }, now) {
  if (!Number.isFinite(began) || !Number.isFinite(seconds)) return 0;
  return now + Math.min(Math.max((began + seconds) * 1000 - now, 0), seconds * 1000) + ASKING;
}
