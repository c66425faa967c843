// A second implementation of docs/spec/price.md, in BigInt alone: for Node and for browsers.
export const PER = 1_000_000n, TARGET = 750_000n, STEP = 250_000n, MAX_X = 8_000_000n;
const U64 = (1n << 64n) - 1n;
const clamp = (value, least, most) => (value < least ? least : value > most ? most : value);
const fits = (value) => { if (value > U64) throw new RangeError('amount_overflow'); return value; };
export const share = (used, capacity) => (capacity ? (used * PER) / capacity : TARGET);
// One epoch later, for an operator who asks for this floor.
export function after({ floor, x }, { used, capacity }, asked) {
  const by = floor / 8n || 1n;
  return {
    floor: clamp(asked, floor > by ? floor - by : 0n, clamp(floor + by, 0n, U64)),
    x: clamp(x + clamp(share(used, capacity) - TARGET, -STEP, STEP), 0n, MAX_X),
  };
}
export function base({ floor, x }) {
  const slowness = 2_120_000n;
  let sum = 0n;
  for (let term = floor * slowness, at = 1n; term > 0n; at += 1n) {
    sum += term;
    term = (term * x) / (slowness * at);
  }
  return fits(sum / slowness);
}
export const prices = (price, rates) => rates.map((rate) => fits((base(price) * rate + PER - 1n) / PER));
// Why a report does not follow from the one before it, as its code; null if it does.
export function follows(report, before) {
  const same = (name) => report[name] === before[name];
  if (!before && report.epoch !== 0n) return 'price_rule_broken';
  if (before && !(same('receipt_key') && same('weights') && report.epoch === before.epoch + 1n && `${report.rates}` === `${before.rates}`)) {
    return 'price_rule_broken';
  }
  const expected = before ? after(before, before, report.floor) : { floor: report.floor, x: 0n };
  if (expected.floor !== report.floor || expected.x !== report.x) return 'price_rule_broken';
  return `${prices(report, report.rates)}` === `${report.asked}` ? null : 'price_rule_broken';
}
