// A second implementation of docs/spec/receipt.md, with node:crypto alone.
import { createHash, createPublicKey, verify } from 'node:crypto';
export class Refused extends Error {}
const refuse = (code) => { throw new Refused(code); };
export const hex = (text) => Buffer.from(text, 'hex');
const same = (a, b) => Buffer.compare(a, b) === 0;
export const sha = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();
export const label = (text) => Buffer.from([text.length, ...Buffer.from(text)]);
const number = (value, bytes) => hex(BigInt(value).toString(16).padStart(2 * bytes, '0'));
// Deterministic CBOR: what this reads must be what this writes.
function head(major, value) {
  const size = value < 24n ? 0 : value < 1n << 8n ? 1 : value < 1n << 16n ? 2 : value < 1n << 32n ? 4 : 8;
  const first = number((major << 5) | (size ? 24 + Math.log2(size) : Number(value)), 1);
  return size ? Buffer.concat([first, number(value, size)]) : first;
}
function write(value) {
  if (typeof value === 'bigint') return value < 0n ? head(1, -1n - value) : head(0, value);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, BigInt(value.length)), value]);
  if (typeof value === 'string') return Buffer.concat([head(3, BigInt(Buffer.byteLength(value))), Buffer.from(value)]);
  if (Array.isArray(value)) return Buffer.concat([head(4, BigInt(value.length)), ...value.map(write)]);
  const entries = [...value].map(([key, item]) => [write(key), write(item)]).sort(([a], [b]) => Buffer.compare(a, b));
  return Buffer.concat([head(5, BigInt(entries.length)), ...entries.flat()]);
}
function read(bytes) {
  let at = 0;
  const take = (count) => bytes.subarray(at, (at += count));
  const item = () => {
    const [first = 0xff] = take(1), info = first & 31, major = first >> 5;
    if (info > 27 || major > 5) throw new Error('not in this subset');
    const value = info < 24 ? BigInt(info) : BigInt('0x' + take(1 << (info - 24)).toString('hex'));
    if (major < 2) return major ? -1n - value : value;
    if (value > bytes.length) throw new Error('long');
    if (major < 4) return major === 2 ? Buffer.from(take(Number(value))) : take(Number(value)).toString();
    if (major === 4) return Array.from({ length: Number(value) }, item);
    return new Map(Array.from({ length: Number(value) }, () => [item(), item()]));
  };
  const value = item();
  if (same(write(value), bytes)) return value;
  throw new Error('not deterministic');
}
export function fields(bytes, limit, code, shape) {
  let map;
  try { map = bytes.length <= limit && read(bytes); } catch { refuse(code); }
  if (!(map instanceof Map) || [...map.keys()].some((key) => !(key in shape))) refuse(code);
  if (Object.entries(shape).some(([name, fits]) => !fits(map.get(name)))) refuse(code);
  return Object.fromEntries(map);
}
export const sized = (size) => (value) => Buffer.isBuffer(value) && value.length === size;
export const [u64, i64] = [BigInt.asUintN, BigInt.asIntN].map((cut) => (value) => typeof value === 'bigint' && cut(64, value) === value);
const readJob = (bytes) => fields(bytes, 768, 'job_malformed', {
  version: (value) => value === 1n, seq: u64, job: sized(16), claims: sized(32), evidence: sized(32), epoch: u64, quote: sized(32),
  units: (value) => Array.isArray(value) && value.length === 4 && value.every(u64), amount: u64, cumulative: u64,
  request: sized(32), response: sized(32), began: i64, ended: i64,
  end: (value) => ['stop', 'length', 'cancelled', 'failed'].includes(value),
});
const tabBytes = (tab) => Buffer.concat([hex(tab.purse), number(tab.lane, 4), number(tab.branch, 2)]);
export const statement = (tag, tab, amount, last) => Buffer.concat([Buffer.from(tag), Buffer.from([0]), tab, number(amount, 8), last]);
export const digest = (bytes) => sha(Buffer.from([0x00, 0xa6]), bytes);
export const signed = (key, bytes, signature, hash = digest) => verify(null, hash(bytes),
  createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: key.toString('base64url') }, format: 'jwk' }), signature);
const hash = (what, ...parts) => sha(label(`chrysalis/${what}/v1`), ...parts);
const nextHead = (before, job) => hash('head', before, sha(job));
export const unpaid = hash('no-quote');
function about(job, attested, request, answer) {
  if (request && !same(job.request, hash('request', job.job, hex(request)))) refuse('receipt_content');
  if (answer && !same(job.response, hash('response', job.job, hex(answer)))) refuse('receipt_content');
  for (const name of ['claims', 'evidence']) if (!same(job[name], hex(attested[name]))) refuse('receipt_evidence');
  if (job.epoch !== BigInt(attested.epoch)) refuse('receipt_evidence');
}
export function accept(bytes, scene) {
  const receipt = fields(bytes, 864, 'receipt_malformed', { job: Buffer.isBuffer, signature: sized(64) });
  const job = readJob(receipt.job);
  if (job.seq !== BigInt(scene.seq) + 1n) refuse('receipt_chain');
  const last = nextHead(hex(scene.head), receipt.job);
  const owed = statement('RCP1', tabBytes(scene.tab), job.cumulative, last);
  if (!signed(hex(scene.attested.receipt_key), owed, receipt.signature)) refuse('receipt_signature');
  if (!same(job.quote, scene.quote ? sha(hex(scene.quote)) : unpaid)) refuse('receipt_quote');
  const price = (scene.price ?? [0, 0, 0, 0]).map(BigInt);
  const amount = (job.units.reduce((sum, units, at) => sum + units * price[at], 0n) + 999_999n) / 1_000_000n;
  if (job.amount !== amount || BigInt(scene.cumulative) + amount !== job.cumulative) refuse('receipt_sum');
  if (!same(job.job, hex(scene.job)) || (!scene.answer_sha256 && job.end !== 'cancelled')) refuse('receipt_content');
  about(job, scene.attested, scene.request_sha256, scene.answer_sha256);
}
export function verifyKept(bytes, { attested, request_sha256: request, answer_sha256: answer }) {
  const kept = fields(bytes, 1 << 21, 'receipt_file_malformed', {
    job: Buffer.isBuffer, statement: sized(83), signature: sized(64), before: sized(32),
    evidence: (value) => value === undefined || value instanceof Map,
  });
  const job = readJob(kept.job), key = hex(attested.receipt_key), said = kept.statement;
  const tab = said.subarray(5, 43), lane = said.readUInt32BE(37);
  if (said.subarray(0, 4).toString() !== 'RCP1' || !signed(key, said, kept.signature)) refuse('receipt_signature');
  if (!same(said.subarray(51), nextHead(kept.before, kept.job))) refuse('receipt_chain');
  if ((job.seq === 1n) !== same(kept.before, hash('tab', key, tab))) refuse('receipt_chain');
  const before = job.cumulative - job.amount;
  if (said.readBigUInt64BE(43) !== job.cumulative || before < 0n || (job.seq === 1n && before)) refuse('receipt_sum');
  if ((lane === 0) !== same(job.quote, unpaid)) refuse('receipt_quote');
  if (lane === 0 && job.cumulative !== 0n) refuse('receipt_sum');
  about(job, attested, request, answer);
}
